// Images that come and go: pull, import, push, load, save.
#include <fcntl.h>
#include <fmt/core.h>

#include "engine/api/encoding.h"
#include "engine/api/progress_json.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "images/pull.h"
#include "images/reference.h"

namespace stack::engine::api {

namespace {

// X-Registry-Auth: base64 of {"username", "password", "identitytoken"}.
std::optional<images::Credentials> credentials_of(const Request& request) {
  const auto text = decode_base64(request.header("x-registry-auth"));
  if (!text || text->empty()) return std::nullopt;
  images::Credentials out;
  const auto parsed = parse_json(*text, [&](const Json& json) {
    out.username = text_field(json, "username");
    out.password = text_field(json, "password");
    out.identity_token = text_field(json, "identitytoken");
  });
  if (!parsed.ok() || (out.username.empty() && out.identity_token.empty())) return std::nullopt;
  return out;
}

// A stream of progress lines: the answer begins with the first, so that an error before it has a
// status of its own.
class ProgressAnswer {
 public:
  explicit ProgressAnswer(ExchangePtr exchange) : exchange_(std::move(exchange)) {}
  void line(const Json& json) const {
    if (!exchange_->begun()) exchange_->begin(200, "application/json");
    exchange_->write(line_of(json));
  }
  void fail(const Error& error) const {
    if (!exchange_->begun()) return respond_error(*exchange_, error);
    line(error_line(error));
    exchange_->finish();
  }
  void finish() const {
    if (!exchange_->begun()) exchange_->begin(200, "application/json");
    exchange_->finish();
  }

 private:
  ExchangePtr exchange_;
};

void import(Services& services, const ExchangePtr& exchange) {
  const auto& query = exchange->request().query;
  if (query.text("fromSrc") != "-") {
    return respond_error(
        *exchange, 400,
        "importing from a URL is not supported: send the archive as the body (fromSrc=-)");
  }
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
  services.images->run<images::Image>(
      [reader, reference, changes = query.all("changes"),
       message = query.text("message")](images::Store& store) {
        const Fd closes(reader->release());
        return store.import_rootfs(closes.get(), reference, changes, message, {});
      },
      [&services, exchange](const Result<images::Image>& image) {
        const ProgressAnswer progress(exchange);
        if (!image.ok()) return progress.fail(image.error());
        services.events.publish(
            {"image", "import", image->id, {{"name", image->id}}, services.clock.wall()});
        progress.line({{"status", image->id}});
        progress.finish();
      });
}

void create(Services& services, const ExchangePtr& exchange) {
  const auto& query = exchange->request().query;
  if (query.has("fromSrc")) return import(services, exchange);
  std::string name = query.text("fromImage");
  if (name.empty()) return respond_error(*exchange, 400, "one of fromImage and fromSrc is wanted");
  const auto tag = query.text("tag");
  if (!tag.empty()) name += (tag.find(':') != std::string::npos ? "@" : ":") + tag;
  const auto reference = images::Reference::parse(name);
  if (!reference.ok()) return respond_error(*exchange, reference.error());
  auto options = services.images->pull_options();
  options.platform = query.text("platform");
  if (auto credentials = credentials_of(exchange->request()))
    options.credentials = std::move(credentials);
  const auto progress = std::make_shared<ProgressAnswer>(exchange);
  auto announced = std::make_shared<bool>(false);
  services.images->pull(
      name, std::move(options),
      [progress, reference = *reference, announced](const images::PullProgress& step) {
        if (!std::exchange(*announced, true)) {
          progress->line({{"status", "Pulling from " + reference.path}, {"id", reference.tag}});
        }
        progress->line(progress_line(step));
      },
      [&services, progress, reference = *reference](const Result<images::Image>& image) {
        if (!image.ok()) return progress->fail(image.error());
        services.events.publish({"image",
                                 "pull",
                                 reference.familiar(),
                                 {{"name", reference.familiar_name()}},
                                 services.clock.wall()});
        progress->finish();
      });
}

void push(Services& services, const ExchangePtr& exchange) {
  std::string name = exchange->request().captures[0];
  if (const auto tag = exchange->request().query.text("tag"); !tag.empty()) name += ":" + tag;
  const auto reference = images::Reference::parse(name);
  if (!reference.ok()) return respond_error(*exchange, reference.error());
  auto options = services.images->pull_options();
  if (auto credentials = credentials_of(exchange->request()))
    options.credentials = std::move(credentials);
  const auto progress = std::make_shared<ProgressAnswer>(exchange);
  progress->line(
      {{"status", fmt::format("The push refers to repository [{}]", reference->name())}});
  options.progress = [&services, progress](const images::Progress& step) {
    services.loop.post([progress, step] { progress->line(progress_line(step)); });
  };
  services.images->run<std::string>(
      [reference = *reference, options](images::Store& store) {
        return images::push(store, reference, options);
      },
      [progress, reference = *reference](const Result<std::string>& digest) {
        if (!digest.ok()) return progress->fail(digest.error());
        progress->line({{"status", fmt::format("{}: digest: {}", reference.tag, *digest)}});
        progress->line({{"aux", {{"Tag", reference.tag}, {"Digest", *digest}}},
                        {"progressDetail", Json::object()}});
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
        if (!lines.ok()) return progress->fail(lines.error());
        for (const auto& line : *lines) progress->line({{"stream", line + "\n"}});
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
