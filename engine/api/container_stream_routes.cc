// What goes on while a container runs: logs, attach, wait, stats.
#include "engine/api/hijack.h"
#include "engine/api/log_details.h"
#include "engine/api/log_stream.h"
#include "engine/api/route_support.h"
#include "engine/api/routes.h"
#include "engine/api/stats_json.h"
#include "engine/api/text.h"
#include "engine/api/web_socket.h"
#include "engine/json_fields.h"

namespace stack::engine::api {

namespace {

void logs(Services& services, const std::shared_ptr<DirectoryWatcher>& watcher,
          const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto& query = exchange->request().query;
  LogOptions options;
  options.query.stdout_ = query.flag("stdout");
  options.query.stderr_ = query.flag("stderr");
  if (!options.query.stdout_ && !options.query.stderr_) {
    return respond_error(*exchange, 400, "Bad parameters: you must choose at least one stream");
  }
  if (c->config.log.driver == "none") {
    return respond_error(*exchange, 501, "configured logging driver does not support reading");
  }
  options.follow = query.flag("follow");
  options.timestamps = query.flag("timestamps");
  options.tty = c->config.tty;
  if (query.flag("details")) options.details = log_details(*c);
  const WallTime now = services.clock.wall();
  for (const char* key : {"since", "until"}) {
    const auto text = query.text(key);
    if (text.empty() || text == "0") continue;
    const auto moment = parse_moment(text, now);
    if (!moment)
      return respond_error(*exchange, 400,
                           "invalid value for \"" + std::string(key) + "\": " + text);
    (std::string(key) == "since" ? options.query.since : options.query.until) = moment;
  }
  const auto tail = query.text("tail");
  if (!tail.empty() && tail != "all") {
    const auto lines = query.number("tail");
    if (lines.ok() && lines->value_or(-1) >= 0)
      options.query.tail = **lines;  // as Docker: what is no number is "all"
  }
  stream_log(services, watcher, exchange, c->id, std::move(options));
}

// What was written before the client was attached; all of it when there is no attachment.
std::string earlier_output(const std::filesystem::path& file, const AttachOptions& wanted, bool raw,
                           int attachment) {
  runtime::LogQuery query;
  if (attachment >= 0) query.until = runtime::moment_of_attachment(attachment);
  LogOptions shown;
  shown.tty = raw;
  query.stdout_ = wanted.stdout_;
  query.stderr_ = wanted.stderr_;
  auto reader = runtime::LogReader::open(file, query);
  std::string out;
  while (reader.ok()) {
    const auto records = reader->next();
    if (!records.ok() || records->empty()) break;
    for (const auto& record : *records) out += log_bytes(record, shown);
  }
  return out;
}

void attach(Services& services, const ExchangePtr& exchange, bool web_socket) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto& query = exchange->request().query;
  const auto keys = parse_detach_keys(query.text("detachKeys"));
  if (!keys)
    return respond_error(*exchange, 400,
                         "Invalid detach keys (" + query.text("detachKeys") + ") provided");
  if (c->status == RunState::kPaused) {
    return respond_error(*exchange, 409,
                         "container " + c->id + " is paused, unpause the container before attach");
  }
  AttachOptions options;
  options.stdin_ = query.flag("stdin");
  options.stdout_ = query.flag("stdout");
  options.stderr_ = query.flag("stderr");
  const bool stream = query.flag("stream");
  options.tell_moment = stream && query.flag("logs") && is_up(c->status);
  const bool raw = c->config.tty;
  const std::string id = c->id;
  if (web_socket) {
    if (const auto fits = check_web_socket(exchange->request()); !fits.ok())
      return respond_error(*exchange, fits.error());
  }
  Hijack with;
  with.raw = raw;
  with.web_socket = web_socket;
  with.client_input = options.stdin_ && c->config.open_stdin;
  if (raw && with.client_input) with.detach_keys = keys;
  if (stream) {
    auto socket = services.containers->attach(id, options);
    if (!socket.ok()) return respond_error(*exchange, socket.error());
    with.duplex = std::move(socket).value();
  }
  publish_container_event(services, *c, "attach");
  with.done = [&services, id] {
    const auto found = services.containers->find(id);
    if (found.ok() && (*found)->status == RunState::kRunning)
      publish_container_event(services, **found, "detach");
  };
  if (!query.flag("logs")) return exchange->hijack(std::move(with));
  const auto shared = std::make_shared<Hijack>(std::move(with));
  services.pool.run(
      [file = services.containers->log_file(id), options, raw, shared] {
        return earlier_output(file, options, raw, options.tell_moment ? shared->duplex.get() : -1);
      },
      [exchange, shared](std::string text) {
        shared->first = std::move(text);
        exchange->hijack(std::move(*shared));
      });
}

// The status comes as the body of an answer whose header goes out at once: a client knows then that
// it will miss no end.
void wait(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto text = exchange->request().query.text("condition");
  auto condition = WaitCondition::kNotRunning;
  if (text == "next-exit") {
    condition = WaitCondition::kNextExit;
  } else if (text == "removed") {
    condition = WaitCondition::kRemoved;
  } else if (!text.empty() && text != "not-running") {
    return respond_error(*exchange, 400, "invalid condition: \"" + text + "\"");
  }
  exchange->begin(200, "application/json");
  // The exchange lives until it is answered or the client leaves, which is when it forgets this
  // function.
  exchange->on_close([exchange] {});
  services.containers->wait(c->id, condition,
                            [weak = std::weak_ptr(exchange)](const Result<WaitResult>& result) {
                              const auto waiting = weak.lock();
                              if (!waiting) return;
                              Json out = {{"StatusCode", result.ok() ? result->exit_code : -1}};
                              if (!result.ok())
                                out["Error"] = {{"Message", result.error().to_string()}};
                              if (result.ok() && !result->error.empty())
                                out["Error"] = {{"Message", result->error}};
                              waiting->write(line_of(out));
                              waiting->finish();
                            });
}

class StatsStream : public std::enable_shared_from_this<StatsStream> {
 public:
  StatsStream(Services& services, ExchangePtr exchange, std::string id, bool stream, bool one_shot)
      : services_(services),
        exchange_(std::move(exchange)),
        id_(std::move(id)),
        stream_(stream),
        one_shot_(one_shot) {}

  void start() {
    exchange_->on_close([self = shared_from_this()] { self->end(); });
    sample();
  }

 private:
  void sample() {
    const auto found = services_.containers->find(id_);
    const bool up = found.ok() && (*found)->status == RunState::kRunning;
    if (!up) return show(std::nullopt);
    services_.pool.run(
        [runtime = &services_.runtime, directory = services_.paths.run / "containers" / id_] {
          return runtime->stats(directory);
        },
        [self = shared_from_this()](Result<runtime::Stats> stats) {
          if (self->over_) return;
          if (!stats.ok()) return self->show(std::nullopt);
          StatsSample now{self->services_.clock.wall(), std::move(stats).value()};
          // A share of the CPU needs two samples; `one-shot` does without.
          if (!self->before_ && !self->one_shot_) {
            self->before_ = std::move(now);
            if (!self->stream_) return self->later();
            const auto first = self->before_;
            self->before_.reset();
            self->show(first);
            self->before_ = first;
            return;
          }
          self->show(now);
          self->before_ = std::move(now);
        });
  }

  void show(const std::optional<StatsSample>& now) {
    const auto found = services_.containers->find(id_);
    if (over_) return;
    if (!found.ok()) {
      end();
      return exchange_->begun() ? exchange_->finish() : respond_error(*exchange_, found.error());
    }
    const Json json = stats_json(**found, now, before_);
    if (!stream_) {
      end();
      return respond_json(*exchange_, 200, json);
    }
    if (!exchange_->begun()) exchange_->begin(200, "application/json");
    if (exchange_->queued() < (1U << 20U))
      exchange_->write(line_of(json));  // a client that does not read misses some
    later();
  }

  void end() {
    over_ = true;
    timer_.cancel();  // its function holds this object
  }

  void later() {
    timer_ = services_.loop.after(std::chrono::seconds(1), [self = shared_from_this()] {
      if (!self->over_) self->sample();
    });
  }

  Services& services_;
  ExchangePtr exchange_;
  std::string id_;
  bool stream_, one_shot_, over_ = false;
  std::optional<StatsSample> before_;
  EventLoop::Timer timer_;
};

void stats(Services& services, const ExchangePtr& exchange) {
  const Container* c = named_container(*exchange, services);
  if (c == nullptr) return;
  const auto& query = exchange->request().query;
  const bool stream = !query.has("stream") || query.flag("stream");
  std::make_shared<StatsStream>(services, exchange, c->id, stream, query.flag("one-shot"))->start();
}

}  // namespace

void add_container_stream_routes(Router& router, Services& services) {
  const auto watcher = std::make_shared<DirectoryWatcher>(services.loop);
  router.add("GET", "/containers/{id}/logs",
             [&services, watcher](const ExchangePtr& e) { logs(services, watcher, e); });
  router.add("POST", "/containers/{id}/attach",
             [&services](const ExchangePtr& e) { attach(services, e, false); });
  router.add("GET", "/containers/{id}/attach/ws",
             [&services](const ExchangePtr& e) { attach(services, e, true); });
  router.add("POST", "/containers/{id}/wait",
             [&services](const ExchangePtr& e) { wait(services, e); });
  router.add("GET", "/containers/{id}/stats",
             [&services](const ExchangePtr& e) { stats(services, e); });
}

}  // namespace stack::engine::api
