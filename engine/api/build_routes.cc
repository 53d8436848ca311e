// POST /build: the context comes as a tar, is unpacked beside the store, and is built by images/.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>

#include "base/files.h"
#include "engine/api/build_trace.h"
#include "engine/api/progress_json.h"
#include "engine/api/registry_headers.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/image_service.h"
#include "engine/json_fields.h"
#include "images/copy.h"
#include "images/reference.h"

namespace stack::engine::api {

namespace {

Result<images::BuildRequest> request_of(const Query& query) {
  images::BuildRequest out;
  out.dockerfile = query.text("dockerfile");
  out.target = query.text("target");
  out.platform = query.text("platform");
  out.no_cache = query.flag("nocache");
  out.pull = query.flag("pull");
  out.network_mode = query.text("networkmode");
  out.extra_hosts = query.all("extrahosts");
  out.shm_size = TRY(query.number("shmsize")).value_or(0);
  for (const auto& name : query.all("t")) out.tags.push_back(TRY(images::Reference::parse(name)));
  if (!query.text("remote").empty())
    return Error::invalid("building from a remote context is not supported: send it as a tar");
  const auto map_of = [&](const char* key, StringMap& into) -> Status {
    const auto text = query.text(key);
    if (text.empty()) return ok_status();
    return parse_json(text, [&](const Json& json) {
      for (const auto& [name, value] : json.items()) {
        if (!value.is_null()) into[name] = value.get<std::string>();
      }
    });
  };
  TRY(map_of("buildargs", out.args));
  TRY(map_of("labels", out.labels));
  return out;
}

// Of "sha256:..." and of plain hex digits.
std::string short_id(const std::string& id) {
  return id.substr(id.starts_with("sha256:") ? 7 : 0, 12);
}

class Build : public std::enable_shared_from_this<Build> {
 public:
  Build(Services& services, ExchangePtr exchange, images::BuildRequest request)
      : services_(services), exchange_(std::move(exchange)), request_(std::move(request)) {
    directory_ = services_.paths.root / "tmp" / ("build-" + random_hex(16));
    const auto& query = exchange_->request().query;
    quiet_ = query.flag("q");
    if (query.text("version") == "2") trace_.emplace();
  }

  void start() {
    auto pipe = make_pipe();
    if (!pipe.ok()) return respond_error(*exchange_, pipe.error());
    (void)::fcntl(pipe->write.get(), F_SETPIPE_SZ, 1 << 20);
    const auto reader = std::make_shared<Fd>(std::move(pipe->read));
    exchange_->on_close([self = shared_from_this()] { self->stop_.request_stop(); });
    exchange_->receive_body(std::move(pipe->write),
                            [self = shared_from_this()](const Status& body) {
                              if (!body.ok()) self->stop_.request_stop();
                            });
    services_.long_pool.run(
        [directory = directory_, reader]() -> Status {
          const Fd closes(reader->release());
          TRY(make_directories(directory, 0700));
          const Fd root = TRY(open_fd(directory.string(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
          return images::extract_tar(root.get(), "/", closes.get());
        },
        [self = shared_from_this(), began = services_.clock.wall()](const Status& unpacked) {
          if (unpacked.ok()) {
            if (self->trace_)
              self->line(self->trace_->context_loaded(began, self->services_.clock.wall()));
            return self->build();
          }
          self->finish(Error(unpacked.error()).while_("unpacking the build context"));
        });
  }

 private:
  // With sources named for the cache, steps come from there alone: where none of them is here, from
  // nowhere.
  void limit_cache() {
    const auto& query = exchange_->request().query;
    Strings sources;
    const auto parsed =
        parse_json(R"({"from":)" + query.text("cachefrom") + "}",
                   [&](const Json& json) { sources = field<Strings>(json, "from"); });
    if (!parsed.ok() || sources.empty()) return;
    request_.no_cache =
        request_.no_cache || std::none_of(sources.begin(), sources.end(), [&](const auto& name) {
          return services_.store.find(name).ok();
        });
  }

  void build() {
    request_.context = directory_;
    limit_cache();
    images::PullOptions registries = services_.images->pull_options();
    registries.auths = registry_config_of(exchange_->request());
    services_.images->build(
        request_, std::move(registries),
        [self = shared_from_this()](const images::BuildEvent& event) { self->progress(event); },
        stop_.get_token(),
        [self = shared_from_this()](Result<images::Image> image) {
          self->finish(std::move(image));
        });
  }

  void line(const Json& json) {
    if (!exchange_->begun()) exchange_->begin(200, "application/json");
    exchange_->write(line_of(json));
  }
  void say(const std::string& text) { line({{"stream", text}}); }

  void progress(const images::BuildEvent& event) {
    if (event.kind == images::BuildEvent::Kind::kFailed) failed_ = event;
    if (quiet_) return;
    if (trace_) {
      if (const auto told = trace_->tell(event, services_.clock.wall())) line(*told);
      return;
    }
    switch (event.kind) {
      case images::BuildEvent::Kind::kInstruction:
        say("Step " + event.text);
        return say("\n");
      case images::BuildEvent::Kind::kTriggers:
        say("# Executing " + event.text);
        return say("\n");
      case images::BuildEvent::Kind::kRunning:
        running_ = short_id(event.text);
        return say(" ---> Running in " + running_ + "\n");
      case images::BuildEvent::Kind::kState:
        if (!running_.empty())
          say(" ---> Removed intermediate container " + std::exchange(running_, {}) + "\n");
        if (event.known) say(" ---> Using cache\n");
        return say(" ---> " + short_id(event.text) + "\n");
      case images::BuildEvent::Kind::kOutput:
        // Errors in red, as Docker's classic builder has them.
        return say(event.stream == "stderr" ? "\x1b[91m" + event.text + "\x1b[0m" : event.text);
      case images::BuildEvent::Kind::kWarning:
        return say("[Warning] " + event.text + "\n");
      case images::BuildEvent::Kind::kFailed:
      case images::BuildEvent::Kind::kStep:
      case images::BuildEvent::Kind::kCached:
      case images::BuildEvent::Kind::kDone:
      case images::BuildEvent::Kind::kTransfer:
        return;
    }
  }

  void finish(Result<images::Image> image) {
    services_.long_pool.run([directory = directory_] { return remove_tree(directory); },
                            [](const Status&) {});
    if (!image.ok()) {
      // Docker answers with a status when nothing was begun: a missing Dockerfile, a syntax error.
      if (!exchange_->begun()) return respond_error(*exchange_, image.error());
      line(failed_ ? command_failed() : error_line(image.error()));
      return exchange_->finish();
    }
    if (trace_) {
      const auto now = services_.clock.wall();
      line(trace_->exported(request_.tags, now, now));
      line(built_line(image->id));
      return exchange_->finish();
    }
    line({{"aux", {{"ID", image->id}}}});
    if (quiet_) {
      say(image->id + "\n");
    } else {
      say(fmt::format("Successfully built {}\n", short_id(image->id)));
      for (const auto& tag : request_.tags)
        say(fmt::format("Successfully tagged {}\n", tag.familiar()));
    }
    exchange_->finish();
  }

  // A command that fails is told with its exit code, which becomes that of `docker build`.
  Json command_failed() const {
    if (trace_) return error_line(Error::invalid(command_failed_text(*failed_)));
    const auto message = fmt::format("The command '{}' returned a non-zero code: {}", failed_->text,
                                     failed_->exit_code);
    return {{"errorDetail", {{"code", failed_->exit_code}, {"message", message}}},
            {"error", message}};
  }

  Services& services_;
  ExchangePtr exchange_;
  images::BuildRequest request_;
  std::optional<images::BuildEvent> failed_;
  std::string running_;  // the step whose process was started last
  std::filesystem::path directory_;
  std::stop_source stop_;
  bool quiet_ = false;
  std::optional<BuildTrace> trace_;  // for clients that ask for BuildKit
};

// Over a session BuildKit asks the client for logins, secrets and files. Nothing of that is needed
// for a context that comes as a tar, so the session is held open, as its client expects, and what
// comes over it is read away until one side ends it.
void session(Services& services, const ExchangePtr& exchange) {
  const std::string protocol = exchange->request().header("upgrade");
  if (protocol.empty()) return respond_error(*exchange, 400, "no upgrade proto in request");
  if (protocol != "h2c")
    return respond_error(*exchange, 400, "protocol " + protocol + " not supported");
  auto ends = make_socketpair(SOCK_STREAM);
  if (!ends.ok()) return respond_error(*exchange, ends.error());
  drain(services.loop, std::move(ends->first));
  Hijack with;
  with.duplex = std::move(ends->second);
  exchange->hijack(std::move(with));
}

}  // namespace

void add_build_routes(Router& router, Services& services) {
  router.add(
      "POST", "/build",
      [&services](const ExchangePtr& exchange) {
        auto request = request_of(exchange->request().query);
        if (!request.ok()) return respond_error(*exchange, request.error());
        std::make_shared<Build>(services, exchange, std::move(request).value())->start();
      },
      Body::kStreamed);
  router.add("POST", "/session", [&services](const ExchangePtr& e) { session(services, e); });
}

}  // namespace stack::engine::api
