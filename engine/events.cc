#include "engine/events.h"

#include <iterator>

namespace stack::engine {

namespace {
constexpr std::size_t kHistory = 1024;
}

void EventBus::publish(Event event) {
  history_.push_back(event);
  if (history_.size() > kHistory) history_.pop_front();
  // A subscriber may subscribe or unsubscribe while it is called, so iterate over a list of keys.
  std::vector<std::uint64_t> keys;
  for (const auto& [key, fn] : subscribers_) keys.push_back(key);
  for (const auto key : keys) {
    const auto it = subscribers_.find(key);
    if (it == subscribers_.end()) continue;
    const auto fn = it->second;
    fn(event);
  }
}

void EventBus::restore(std::vector<Event> earlier) {
  history_.assign(std::make_move_iterator(earlier.begin()), std::make_move_iterator(earlier.end()));
}

EventBus::Subscription EventBus::subscribe(std::function<void(const Event&)> fn, Listener who) {
  const auto key = next_++;
  const std::size_t client = who == Listener::kClient ? 1 : 0;
  clients_ += client;
  subscribers_.emplace(key, std::move(fn));
  return {alive_, [this, key, client] {
            subscribers_.erase(key);
            clients_ -= client;
          }};
}

}  // namespace stack::engine
