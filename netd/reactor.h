// The event loop of stack-netd: epoll(7), level-triggered, one thread. Plain on purpose: the
// program's memory is counted.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/fd.h"

namespace stack::netd {

// Something with descriptors in the loop. It must stay alive until the end of the round in which it
// was removed: hand it to Reactor::bury() instead of destroying it, unless it was never added.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void on_event(int fd, std::uint32_t events) = 0;
  bool buried = false;
};

class Reactor {
 public:
  Reactor();
  bool add(int fd, std::uint32_t events,
           Handler* handler);  // false: the kernel refuses, errno is set
  void modify(int fd, std::uint32_t events);
  void remove(int fd);
  void bury(std::unique_ptr<Handler> handler);

  // Called about every 250 ms while it returns true ("something may time out") or was woken with
  // wake_ticks().
  void on_tick(std::function<bool(std::int64_t now_ms)> tick) { tick_ = std::move(tick); }
  void wake_ticks() { ticking_ = true; }
  std::int64_t now_ms() const { return now_ms_; }
  void run();
  void stop() { stopped_ = true; }

 private:
  struct Slot {
    Handler* handler = nullptr;
    std::uint32_t generation = 0;  // a closed descriptor's number may be reused within one round
  };
  void update_clock();

  Fd epoll_;
  std::vector<Slot> slots_;  // by descriptor
  std::vector<std::unique_ptr<Handler>> buried_;
  std::function<bool(std::int64_t)> tick_;
  bool ticking_ = false;
  bool stopped_ = false;
  std::int64_t now_ms_ = 0;
};

}  // namespace stack::netd
