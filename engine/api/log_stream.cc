#include "engine/api/log_stream.h"

#include <sys/inotify.h>
#include <unistd.h>

#include "engine/containers.h"

namespace stack::engine::api {

DirectoryWatcher::Registration::~Registration() {
  const auto watcher = watcher_.lock();
  if (!watcher) return;
  const auto it = watcher->listeners_.find(watch_);
  if (it == watcher->listeners_.end()) return;
  it->second.erase(key_);
  if (!it->second.empty()) return;
  (void)::inotify_rm_watch(watcher->inotify_.get(), watch_);  // gone already when the directory is
  watcher->listeners_.erase(it);
}

Result<DirectoryWatcher::Registration> DirectoryWatcher::watch(
    const std::filesystem::path& directory, std::function<void()> changed) {
  if (!inotify_) {
    inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify_) return Error::os(errno, "watching logs");
    readable_ = loop_.on_readable(inotify_.get(), [this] { read_events(); });
  }
  // The same directory gives the same descriptor.
  const int watch =
      ::inotify_add_watch(inotify_.get(), directory.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  if (watch < 0) return Error::os(errno, "watching " + directory.string());
  const auto key = next_++;
  listeners_[watch].emplace(key, std::move(changed));
  return Registration(weak_from_this(), watch, key);
}

void DirectoryWatcher::read_events() {
  const auto keep = shared_from_this();
  alignas(inotify_event) char buffer[16384];
  const auto size = ::read(inotify_.get(), buffer, sizeof buffer);
  std::set<int> changed;
  for (ssize_t at = 0; at < size;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
    changed.insert(event->wd);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
  }
  for (const int watch : changed) {
    const auto it = listeners_.find(watch);
    if (it == listeners_.end()) continue;
    const auto listeners = it->second;  // each may end registrations
    for (const auto& [key, fn] : listeners) fn();
  }
}

std::string log_bytes(const runtime::LogRecord& record, const LogOptions& options) {
  std::string payload;
  if (options.timestamps) payload = rfc3339_nano(record.time) + " ";
  if (options.details) payload += *options.details + " ";
  payload += record.text;
  if (options.tty) return payload;
  std::string out(8, '\0');
  out[0] = record.is_stderr ? '\2' : '\1';
  const auto size = payload.size();
  for (int i = 0; i < 4; ++i)
    out[static_cast<std::size_t>(4 + i)] = static_cast<char>(size >> (24 - 8 * i));
  return out + payload;
}

namespace {

class LogStream : public std::enable_shared_from_this<LogStream> {
 public:
  LogStream(Services& services, ExchangePtr exchange, std::string id, LogOptions options,
            runtime::LogReader reader)
      : services_(services),
        exchange_(std::move(exchange)),
        id_(std::move(id)),
        options_(std::move(options)),
        reader_(std::move(reader)) {}

  void start(const std::shared_ptr<DirectoryWatcher>& watcher) {
    exchange_->on_close([self = shared_from_this()] { self->end(); });
    exchange_->on_drain([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->pump();
    });
    if (options_.follow) {
      auto watch = watcher->watch(services_.containers->log_file(id_).parent_path(),
                                  [weak = weak_from_this()] {
                                    if (const auto self = weak.lock()) self->pump();
                                  });
      if (watch.ok()) watch_ = std::move(watch).value();
      events_ = services_.events.subscribe([weak = weak_from_this(), id = id_](const Event& event) {
        if (event.type != "container" || event.id != id) return;
        if (event.action != "die" && event.action != "destroy" && event.action != "start") return;
        if (const auto self = weak.lock()) self->pump();
      });
    }
    pump();
  }

 private:
  // What is on disk now. The end of the container is looked at before the log is, so that nothing
  // written before it is missed.
  void pump() {
    const auto keep = shared_from_this();
    if (ended_ || exchange_->queued() > 0) return;  // on_drain() calls again
    const bool more_may_come = options_.follow && is_up();
    auto records = reader_.next();
    if (!records.ok() || (records->empty() && (!more_may_come || reader_.done()))) {
      exchange_->finish();
      return end();
    }
    std::string bytes;
    for (const auto& record : *records) bytes += log_bytes(record, options_);
    exchange_->write(std::move(bytes));
  }

  bool is_up() const {
    const auto found = services_.containers->find(id_);
    return found.ok() &&
           ((*found)->status == RunState::kRunning || (*found)->status == RunState::kPaused);
  }

  void end() {
    ended_ = true;
    watch_ = {};
    events_ = {};
  }

  Services& services_;
  ExchangePtr exchange_;
  std::string id_;
  LogOptions options_;
  runtime::LogReader reader_;
  DirectoryWatcher::Registration watch_;
  EventBus::Subscription events_;
  bool ended_ = false;
};

}  // namespace

void stream_log(Services& services, const std::shared_ptr<DirectoryWatcher>& watcher,
                const ExchangePtr& exchange, const std::string& container_id, LogOptions options) {
  exchange->begin(200, options.tty ? "application/vnd.docker.raw-stream"
                                   : "application/vnd.docker.multiplexed-stream");
  // Opening looks for the tail, which reads much of a large log.
  services.pool.run(
      [file = services.containers->log_file(container_id), query = options.query] {
        return runtime::LogReader::open(file, query);
      },
      [&services, watcher, exchange, container_id, options](Result<runtime::LogReader> reader) {
        if (!reader.ok()) return exchange->abort();
        std::make_shared<LogStream>(services, exchange, container_id, options,
                                    std::move(reader).value())
            ->start(watcher);
      });
}

}  // namespace stack::engine::api
