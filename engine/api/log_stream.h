// GET /containers/x/logs: the container's log file as a stream, and its new records as they come
// (follow) until the container stops or the client leaves.
#pragma once

#include <map>
#include <memory>

#include "engine/api/respond.h"
#include "engine/daemon.h"
#include "runtime/log_reader.h"

namespace stack::engine::api {

// One inotify(7) descriptor for all followers: a process may have few of them. Watches directories,
// by path.
class DirectoryWatcher : public std::enable_shared_from_this<DirectoryWatcher> {
 public:
  explicit DirectoryWatcher(EventLoop& loop) : loop_(loop) {}

  class Registration {  // ends with the object
   public:
    Registration() = default;
    Registration(std::weak_ptr<DirectoryWatcher> watcher, int watch, std::uint64_t key)
        : watcher_(std::move(watcher)), watch_(watch), key_(key) {}
    Registration(Registration&& other) noexcept { swap(other); }
    Registration& operator=(Registration&& other) noexcept {
      swap(other);
      return *this;
    }
    ~Registration();

   private:
    void swap(Registration& other) noexcept {
      watcher_.swap(other.watcher_);
      std::swap(watch_, other.watch_);
      std::swap(key_, other.key_);
    }
    std::weak_ptr<DirectoryWatcher> watcher_;
    int watch_ = -1;
    std::uint64_t key_ = 0;
  };
  // Calls `changed` after something in the directory was written, made or renamed.
  Result<Registration> watch(const std::filesystem::path& directory, std::function<void()> changed);

 private:
  void read_events();
  EventLoop& loop_;
  Fd inotify_;
  EventLoop::Watch readable_;
  std::map<int, std::map<std::uint64_t, std::function<void()>>> listeners_;  // by watch descriptor
  std::uint64_t next_ = 1;
};

struct LogOptions {
  runtime::LogQuery query;
  bool follow = false, timestamps = false, tty = false;
  std::optional<std::string> details;  // in front of every line: see log_details.h
};

// A record as the client gets it, with what the options put in front of it, in a frame unless raw
// (a terminal's).
std::string log_bytes(const runtime::LogRecord& record, const LogOptions& options);

void stream_log(Services& services, const std::shared_ptr<DirectoryWatcher>& watcher,
                const ExchangePtr& exchange, const std::string& container_id, LogOptions options);

}  // namespace stack::engine::api
