#include "engine/image_service.h"

#include "engine/containers.h"
#include "engine/step_runner.h"
#include "images/reference.h"

namespace stack::engine {

images::PullOptions ImageService::pull_options() const {
  images::PullOptions options;
  if (const char* home = ::getenv("HOME"))
    options.docker_config = std::filesystem::path(home) / ".docker" / "config.json";
  return options;
}

void ImageService::pull(const std::string& text, images::PullOptions options,
                        std::function<void(const images::PullProgress&)> progress,
                        Done<images::Image> done) {
  auto reference = images::Reference::parse(text);
  if (!reference.ok()) return done(std::move(reference).error());
  const std::string key = reference->to_string();
  auto& pull = pulls_[key];
  const bool first = pull == nullptr;
  if (first) pull = std::make_shared<Pull>();
  pull->listeners.push_back(std::move(progress));
  pull->waiting.push_back(std::move(done));
  if (!first) return;
  options.progress = [loop = &services_.loop, pull](const images::Progress& event) {
    loop->post([pull, event] {
      for (const auto& listener : pull->listeners) {
        if (listener) listener(event);
      }
    });
  };
  services_.long_pool.run(
      [store = &services_.store, reference = *reference, options] {
        return images::pull(*store, reference, options);
      },
      [this, key, pull, text](Result<images::Image> image) {
        pulls_.erase(key);
        if (image.ok())
          services_.events.publish(
              {"image", "pull", text, {{"name", text}}, services_.clock.wall()});
        for (const auto& waiting : pull->waiting) waiting(image);
      });
}

void ImageService::build(images::BuildRequest request,
                         std::function<void(const images::BuildEvent&)> progress,
                         std::stop_token stop, Done<images::Image> done) {
  auto runner = std::make_shared<ContainerStepRunner>(services_);
  auto on_loop = [loop = &services_.loop,
                  progress = std::move(progress)](const images::BuildEvent& event) {
    loop->post([progress, event] { progress(event); });
  };
  services_.long_pool.run(
      [this, request = std::move(request), on_loop, runner, stop, options = pull_options()] {
        const auto resolve = [&](const images::Reference& reference,
                                 const std::string& platform) -> Result<images::Image> {
          images::PullOptions base = options;
          base.platform = platform;
          base.stop = stop;
          return images::pull(services_.store, reference, base);
        };
        return images::build(services_.store, request, *runner, on_loop, resolve, stop);
      },
      std::move(done));
}

images::InUseCallback ImageService::users() const {
  // A snapshot: the store asks from another thread.
  std::multimap<std::string, images::ImageUse> uses;
  for (const Container* container : services_.containers->list()) {
    const bool running =
        container->status == RunState::kRunning || container->status == RunState::kPaused;
    uses.insert({container->image_id, {container->id, running}});
  }
  return [uses = std::move(uses)](const std::string& image_id) {
    std::vector<images::ImageUse> out;
    const auto [begin, end] = uses.equal_range(image_id);
    for (auto it = begin; it != end; ++it) out.push_back(it->second);
    return out;
  };
}

void ImageService::remove(const std::string& reference, bool force,
                          Done<images::RemoveReport> done) {
  services_.long_pool.run(
      [store = &services_.store, reference, force, in_use = users()] {
        return store->remove(reference, force, in_use);
      },
      [this, done = std::move(done)](Result<images::RemoveReport> report) {
        if (report.ok()) {
          for (const auto& name : report->untagged)
            services_.events.publish(
                {"image", "untag", name, {{"name", name}}, services_.clock.wall()});
          for (const auto& id : report->deleted)
            services_.events.publish(
                {"image", "delete", id, {{"name", id}}, services_.clock.wall()});
        }
        done(std::move(report));
      });
}

void ImageService::prune(bool all, Done<images::PruneReport> done) {
  services_.long_pool.run(
      [store = &services_.store, all, in_use = users()] { return store->prune(all, in_use); },
      std::move(done));
}

}  // namespace stack::engine
