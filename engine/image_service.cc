#include "engine/image_service.h"

#include "engine/containers.h"
#include "engine/daemon_settings.h"
#include "engine/step_runner.h"
#include "images/reference.h"

namespace stack::engine {

images::PullOptions ImageService::pull_options() { return settings_.registry_options(); }

void ImageService::pull(const std::string& text, images::PullOptions options,
                        std::function<void(const images::PullProgress&)> progress,
                        Done<images::Image> done) {
  auto reference = images::Reference::parse(text);
  if (!reference.ok()) return done(std::move(reference).error());
  const std::string key = reference->to_string() + " " + options.platform;
  auto& known = pulls_[key];
  const bool first = known == nullptr;
  if (first) known = std::make_shared<Pull>();
  const auto pull = known;
  pull->listeners.push_back(std::move(progress));
  pull->waiting.push_back(std::move(done));
  ++pull->wanted;
  pull->leaving.push_back(std::make_unique<std::stop_callback<std::function<void()>>>(
      options.stop, [this, key, weak = std::weak_ptr(pull)] {
        const auto same = weak.lock();
        if (same == nullptr || --same->wanted > 0) return;
        forget(key, same);  // who asks from now on begins anew
        same->stop.request_stop();
      }));
  if (!first) return;
  options.stop = pull->stop.get_token();
  options.progress = [loop = &services_.loop, pull](const images::Progress& event) {
    loop->post([pull, event] {
      for (const auto& listener : pull->listeners) {
        if (listener) listener(event);
      }
    });
  };
  services_.long_pool.run([store = &services_.store, reference = *reference,
                           options] { return images::pull(*store, reference, options); },
                          [this, key, pull, reference = *reference](Result<images::Image> image) {
                            forget(key, pull);
                            if (image.ok())
                              services_.events.publish({"image",
                                                        "pull",
                                                        reference.familiar(),
                                                        {{"name", reference.familiar_name()}},
                                                        services_.clock.wall()});
                            for (const auto& waiting : pull->waiting) waiting(image);
                          });
}

void ImageService::forget(const std::string& key, const std::shared_ptr<Pull>& pull) {
  const auto it = pulls_.find(key);
  if (it != pulls_.end() && it->second == pull) pulls_.erase(it);
}

void ImageService::build(images::BuildRequest request, images::PullOptions registries,
                         std::function<void(const images::BuildEvent&)> progress,
                         std::stop_token stop, Done<images::Image> done) {
  auto runner = std::make_shared<ContainerStepRunner>(services_);
  auto on_loop = [loop = &services_.loop,
                  progress = std::move(progress)](const images::BuildEvent& event) {
    loop->post([progress, event] { progress(event); });
  };
  services_.long_pool.run(
      [this, request = std::move(request), on_loop, runner, stop, options = std::move(registries)] {
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
  services_.long_pool.run([store = &services_.store, reference, force,
                           in_use = users()] { return store->remove(reference, force, in_use); },
                          [this, done = std::move(done)](Result<images::RemoveReport> report) {
                            if (report.ok()) {
                              const auto publish = [&](const char* action) {
                                services_.events.publish({"image",
                                                          action,
                                                          report->image_id,
                                                          {{"name", report->image_id}},
                                                          services_.clock.wall()});
                              };
                              for (std::size_t i = 0; i < report->untagged.size(); ++i)
                                publish("untag");
                              if (!report->deleted.empty()) publish("delete");
                            }
                            done(std::move(report));
                          });
}

void ImageService::prune(images::PruneFilter filter, Done<images::PruneReport> done) {
  services_.long_pool.run([store = &services_.store, filter = std::move(filter),
                           in_use = users()] { return store->prune(filter, in_use); },
                          std::move(done));
}

}  // namespace stack::engine
