// Events as Docker's /events tells them: published by the parts of the engine, kept for `since`,
// sent to subscribers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"

namespace stack::engine {

struct Event {
  std::string type;    // container, network, volume, image
  std::string action;  // create, start, die, "health_status: healthy", "exec_create: CMD", ...
  std::string id;      // container or network id, volume or image name
  std::map<std::string, std::string> attributes;
  WallTime time;
};

// All members are for the loop's thread. Subscribers are called at once, in order of subscription.
class EventBus {
 public:
  enum class Listener { kEngine, kClient };  // a part of the engine, or a client of its API
  class Subscription {                       // ends with the object
   public:
    Subscription() = default;
    Subscription(std::weak_ptr<void> bus, std::function<void()> end)
        : bus_(std::move(bus)), end_(std::move(end)) {}
    Subscription(Subscription&& other) noexcept { swap(other); }
    Subscription& operator=(Subscription&& other) noexcept {
      swap(other);
      return *this;
    }
    ~Subscription() {
      if (end_ && !bus_.expired()) end_();
    }

   private:
    void swap(Subscription& other) noexcept {
      bus_.swap(other.bus_);
      end_.swap(other.end_);
    }
    std::weak_ptr<void> bus_;
    std::function<void()> end_;
  };

  EventBus() : alive_(std::make_shared<int>(0)) {}
  void publish(Event event);
  [[nodiscard]] Subscription subscribe(std::function<void(const Event&)> fn,
                                       Listener who = Listener::kEngine);
  std::size_t clients() const { return clients_; }  // subscribed now
  // What an earlier engine told, oldest first; nobody is called.
  void restore(std::vector<Event> earlier);
  const std::deque<Event>& history() const { return history_; }  // the last 1,024, oldest first

 private:
  std::shared_ptr<int> alive_;
  std::map<std::uint64_t, std::function<void(const Event&)>> subscribers_;
  std::uint64_t next_ = 1;
  std::size_t clients_ = 0;
  std::deque<Event> history_;
};

}  // namespace stack::engine
