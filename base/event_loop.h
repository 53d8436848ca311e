// The one event loop of a process, a wrapper of boost::asio::io_context. All members but post() are
// for the loop's thread. A handler is a transaction: it does not wait and does no disk work larger
// than one small file.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace stack {

class EventLoop {
 public:
  // Destroying a Timer or Watch cancels it; its callback never runs afterwards. Both may be
  // destroyed inside their callback.
  class Timer {
   public:
    struct State;
    Timer() = default;
    explicit Timer(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Timer(Timer&&) noexcept = default;
    Timer& operator=(Timer&& other) noexcept;
    ~Timer() { cancel(); }
    void cancel();
    explicit operator bool() const { return state_ != nullptr; }

   private:
    std::shared_ptr<State> state_;
  };
  class Watch {
   public:
    struct State;
    Watch() = default;
    explicit Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}
    Watch(Watch&&) noexcept = default;
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { cancel(); }
    void cancel();
    explicit operator bool() const { return state_ != nullptr; }

   private:
    std::shared_ptr<State> state_;
  };

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void run();                           // until stop()
  void stop();                          // from any thread
  void post(std::function<void()> fn);  // from any thread

  Timer after(std::chrono::nanoseconds delay, std::function<void()> fn);  // once
  // Calls fn each time the descriptor is readable (level-triggered) until cancelled. The descriptor
  // stays the caller's and must outlive the watch. Works for sockets, pipes, pidfds, eventfds and
  // inotify.
  Watch on_readable(int fd, std::function<void()> fn);
  // Calls fn(signal) for SIGTERM, SIGINT, ... of this process.
  Watch on_signal(std::initializer_list<int> signals, std::function<void(int)> fn);

  boost::asio::io_context& asio();  // for the API server, which includes asio anyway

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack
