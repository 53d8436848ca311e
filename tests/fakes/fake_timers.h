// Time that moves only when a test says so.
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "scheduler/timers.h"

namespace stack::testing {

class FakeTimers final : public scheduler::Timers {
 public:
  TimePoint now() const override { return now_; }
  scheduler::Subscription after(Duration delay, std::function<void()> fn) override {
    const auto key = std::pair(now_ + delay, ++serial_);
    timers_->emplace(key, std::move(fn));
    return scheduler::Subscription([timers = timers_, key] { timers->erase(key); });
  }

  // Runs the next timer, moving time to it. False: there is none up to `limit`.
  bool step(TimePoint limit = TimePoint::max()) {
    if (timers_->empty() || timers_->begin()->first.first > limit) return false;
    const auto it = timers_->begin();
    now_ = std::max(now_, it->first.first);
    const auto fn = std::move(it->second);
    timers_->erase(it);
    fn();
    return true;
  }
  void advance(Duration by) {
    const TimePoint until = now_ + by;
    while (step(until)) {
    }
    now_ = until;
  }
  std::size_t pending() const { return timers_->size(); }

 private:
  using Queue = std::map<std::pair<TimePoint, unsigned>, std::function<void()>>;
  TimePoint now_{};
  unsigned serial_ = 0;
  std::shared_ptr<Queue> timers_ = std::make_shared<Queue>();
};

}  // namespace stack::testing
