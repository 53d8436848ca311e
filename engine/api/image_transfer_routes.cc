// Images that come and go: pull, import, push, load, save.
#include <fcntl.h>
#include <fmt/core.h>

#include "engine/api/progress_answer.h"
#include "engine/api/progress_json.h"
#include "engine/api/registry_headers.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "images/http.h"
#include "images/pull.h"
#include "images/reference.h"
#include "images/registry_questions.h"

namespace stack::engine::api {

namespace {

// The archive at a URL, in a file of no name.
Result<Fd> download(const std::filesystem::path& directory, const std::string& url,
                    std::stop_token stop) {
  Fd file = TRY(open_fd(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  images::HttpRequest request;
  request.url = url;
  request.stop = std::move(stop);
  request.on_data = [&file](long, std::string_view bytes) { return write_all(file.get(), bytes); };
  const auto answer = TRY(images::HttpClient().perform(request));
  if (answer.status < 200 || answer.status >= 300)
    return Error::not_found(fmt::format("failed to GET {} with status {}", url, answer.status));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return Error::os(errno, "reading what was fetched");
  return file;
}

void import(Services& services, const ExchangePtr& exchange) {
  const auto& query = exchange->request().query;
  const std::string url = query.text("fromSrc") == "-" ? "" : query.text("fromSrc");
  std::optional<images::Reference> reference;
  if (!query.text("repo").empty()) {
    auto parsed = images::Reference::parse(
        query.text("repo") + (query.text("tag").empty() ? "" : ":" + query.text("tag")));
    if (!parsed.ok()) return respond_error(*exchange, parsed.error());
    reference = std::move(parsed).value();
  }
  auto pipe = make_pipe();
  if (!pipe.ok()) return respond_error(*exchange, pipe.error());
  (void)::fcntl(pipe->write.get(), F_SETPIPE_SZ, 1 << 20);
  const auto reader = std::make_shared<Fd>(std::move(pipe->read));
  exchange->receive_body(std::move(pipe->write), [exchange](const Status&) {});
  std::string message = query.text("message");
  if (message.empty() && !url.empty()) message = "Imported from " + url;
  services.images->run<images::Image>(
      [reader, reference, url, message, changes = query.all("changes"),
       stop = stop_with(*exchange)](images::Store& store) -> Result<images::Image> {
        Fd archive(reader->release());
        if (!url.empty()) archive = TRY(download(store.root(), url, stop));
        return store.import_rootfs(archive.get(), reference, changes, message, {});
      },
      [&services, exchange, url](const Result<images::Image>& image) {
        const ProgressAnswer progress(exchange);
        if (!image.ok()) return progress.fail(image.error());
        if (!url.empty()) progress.line({{"status", "Downloading from " + url}});
        services.events.publish(
            {"image", "import", image->id, {{"name", image->id}}, services.clock.wall()});
        progress.line({{"status", image->id}});
        progress.finish();
      });
}

void pull_one(Services& services, const std::shared_ptr<ProgressAnswer>& progress,
              const images::Reference& reference, const images::PullOptions& options,
              std::function<void(const Result<images::Image>&)> done) {
  auto announced = std::make_shared<bool>(false);
  services.images->pull(
      reference.to_string(), options,
      [progress, reference, announced](const images::PullProgress& step) {
        if (!std::exchange(*announced, true)) {
          progress->line({{"status", "Pulling from " + reference.path},
                          {"id", reference.tag.empty() ? reference.digest : reference.tag}});
        }
        progress->line(progress_line(step));
      },
      std::move(done));
}

// One after the other; the first failure ends it.
void pull_tags(Services& services, const std::shared_ptr<ProgressAnswer>& progress,
               images::Reference reference, const images::PullOptions& options, Strings tags) {
  if (tags.empty()) return progress->finish();
  reference.tag = tags.front();
  tags.erase(tags.begin());
  pull_one(services, progress, reference, options,
           [&services, progress, reference, options, tags](const Result<images::Image>& image) {
             if (!image.ok()) return progress->fail(image.error());
             pull_tags(services, progress, reference, options, tags);
           });
}

void create(Services& services, const ExchangePtr& exchange) {
  const auto& query = exchange->request().query;
  if (query.has("fromSrc")) return import(services, exchange);
  std::string name = query.text("fromImage");
  if (name.empty()) return respond_error(*exchange, 400, "one of fromImage and fromSrc is wanted");
  const auto tag = query.text("tag");
  if (!tag.empty()) name += (tag.find(':') != std::string::npos ? "@" : ":") + tag;
  const auto reference = images::Reference::parse_name(name);
  if (!reference.ok()) return respond_error(*exchange, reference.error());
  auto options = services.images->pull_options();
  options.platform = query.text("platform");
  options.credentials = registry_auth_of(exchange->request());
  options.stop = stop_with(*exchange);
  const auto progress = std::make_shared<ProgressAnswer>(exchange);
  if (!reference->tag.empty() || !reference->digest.empty()) {
    return pull_one(services, progress, *reference, options,
                    [progress](const Result<images::Image>& image) {
                      if (!image.ok()) return progress->fail(image.error());
                      progress->finish();
                    });
  }
  // No tag means all of them.
  services.images->run<Strings>(
      [reference = *reference, options](images::Store&) {
        return images::list_tags(reference, options);
      },
      [&services, progress, reference = *reference, options](const Result<Strings>& tags) {
        if (!tags.ok()) return progress->fail(tags.error());
        pull_tags(services, progress, reference, options, *tags);
      });
}

// Of all tags of a repository when the client names none (docker push --all-tags).
Result<std::vector<images::Reference>> pushed_references(images::Store& store,
                                                         const images::Reference& reference) {
  if (!reference.tag.empty()) return std::vector{reference};
  auto all = store.tags_of(reference);
  if (all.empty())
    return Error::not_found("An image does not exist locally with the tag: " +
                            reference.familiar_name());
  return all;
}

void push(Services& services, const ExchangePtr& exchange) {
  std::string name = exchange->request().captures[0];
  if (const auto tag = exchange->request().query.text("tag"); !tag.empty()) name += ":" + tag;
  const auto reference = images::Reference::parse_name(name);
  if (!reference.ok()) return respond_error(*exchange, reference.error());
  if (!reference->digest.empty())
    return respond_error(*exchange, 400, "cannot push a digest reference");
  auto options = services.images->pull_options();
  options.credentials = registry_auth_of(exchange->request());
  options.stop = stop_with(*exchange);
  const auto progress = std::make_shared<ProgressAnswer>(exchange);
  progress->line(
      {{"status", fmt::format("The push refers to repository [{}]", reference->name())}});
  options.progress = [&services, progress](const images::Progress& step) {
    services.loop.post([progress, step] { progress->line(progress_line(step)); });
  };
  using Pushed = std::vector<images::PushResult>;
  services.images->run<Pushed>(
      [reference = *reference, options](images::Store& store) -> Result<Pushed> {
        Pushed out;
        for (const auto& one : TRY(pushed_references(store, reference)))
          out.push_back(TRY(images::push(store, one, options)));
        return out;
      },
      [&services, progress, reference = *reference](const Result<Pushed>& pushed) {
        if (!pushed.ok()) return progress->fail(pushed.error());
        for (const auto& one : *pushed) {
          progress->line(
              {{"status", fmt::format("{}: digest: {} size: {}", one.tag, one.digest, one.size)}});
          progress->line({{"progressDetail", Json::object()},
                          {"aux", {{"Tag", one.tag}, {"Digest", one.digest}, {"Size", one.size}}}});
          services.events.publish({"image",
                                   "push",
                                   reference.familiar_name() + ":" + one.tag,
                                   {{"name", reference.familiar_name()}},
                                   services.clock.wall()});
        }
        progress->finish();
      });
}

void load(Services& services, const ExchangePtr& exchange) {
  auto pipe = make_pipe();
  if (!pipe.ok()) return respond_error(*exchange, pipe.error());
  (void)::fcntl(pipe->write.get(), F_SETPIPE_SZ, 1 << 20);
  const auto reader = std::make_shared<Fd>(std::move(pipe->read));
  const bool quiet = exchange->request().query.flag("quiet");
  exchange->receive_body(std::move(pipe->write), [exchange](const Status&) {});
  const auto progress = std::make_shared<ProgressAnswer>(exchange);
  const auto report = [&services, progress, quiet](const images::Progress& step) {
    if (!quiet) services.loop.post([progress, step] { progress->line(progress_line(step)); });
  };
  services.images->run<Strings>(
      [reader, report](images::Store& store) {
        const Fd closes(reader->release());
        return store.load(closes.get(), report);
      },
      [progress](const Result<Strings>& lines) {
        // Clients look for the error of a load in its stream.
        if (!lines.ok()) progress->line(error_line(lines.error()));
        for (const auto& line : lines.ok() ? *lines : Strings())
          progress->line({{"stream", line + "\n"}});
        progress->finish();
      });
}

void save(Services& services, const ExchangePtr& exchange, Strings names) {
  if (names.empty()) return respond_error(*exchange, 400, "no image is named");
  const auto pipe = std::make_shared<PipeAnswer>(exchange, services, "application/x-tar");
  auto out = pipe->open();
  if (!out.ok()) return respond_error(*exchange, out.error());
  pipe->allow();
  const auto writer = std::make_shared<Fd>(std::move(out).value());
  services.images->run<Unit>(
      [writer, names = std::move(names)](images::Store& store) {
        const Fd closes(writer->release());
        return store.save(names, closes.get());
      },
      [pipe](const Status& status) { pipe->work_done(status); });
}

}  // namespace

void add_image_transfer_routes(Router& router, Services& services) {
  router.add(
      "POST", "/images/create", [&services](const ExchangePtr& e) { create(services, e); },
      Body::kStreamed);
  router.add(
      "POST", "/images/load", [&services](const ExchangePtr& e) { load(services, e); },
      Body::kStreamed);
  router.add("POST", "/images/{name*}/push",
             [&services](const ExchangePtr& e) { push(services, e); });
  router.add("GET", "/images/get", [&services](const ExchangePtr& e) {
    save(services, e, e->request().query.all("names"));
  });
  router.add("GET", "/images/{name*}/get",
             [&services](const ExchangePtr& e) { save(services, e, e->request().captures); });
}

}  // namespace stack::engine::api
