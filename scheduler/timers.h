// Time for code that waits: the present and "call me later". Everything happens on the one
// event-loop thread.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/event_loop.h"

namespace stack::scheduler {

// Runs a function when it goes: to cancel a timer, to end a subscription.
class Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::function<void()> end) : end_(std::move(end)) {}
  Subscription(Subscription&& other) noexcept : end_(std::exchange(other.end_, nullptr)) {}
  Subscription& operator=(Subscription&& other) noexcept {
    if (this != &other) {
      reset();
      end_ = std::exchange(other.end_, nullptr);
    }
    return *this;
  }
  ~Subscription() { reset(); }
  void reset() {
    if (auto end = std::exchange(end_, nullptr)) end();
  }
  explicit operator bool() const { return end_ != nullptr; }

 private:
  std::function<void()> end_;
};

class Timers {
 public:
  virtual ~Timers() = default;
  virtual TimePoint now() const = 0;
  // fn runs once, later, never from inside after(); not at all once the subscription is gone.
  [[nodiscard]] virtual Subscription after(Duration delay, std::function<void()> fn) = 0;
};

class LoopTimers final : public Timers {
 public:
  explicit LoopTimers(EventLoop& loop) : loop_(loop) {}
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  Subscription after(Duration delay, std::function<void()> fn) override {
    auto timer = std::make_shared<EventLoop::Timer>(loop_.after(delay, std::move(fn)));
    return Subscription([timer] { timer->cancel(); });
  }

 private:
  EventLoop& loop_;
};

}  // namespace stack::scheduler
