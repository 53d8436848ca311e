#include "netd/reactor.h"

#include <cerrno>
#include <ctime>

namespace stack::netd {

namespace {
constexpr int kTickMs = 250;
constexpr int kEventsPerRound = 64;
}  // namespace

Reactor::Reactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) { update_clock(); }

void Reactor::update_clock() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  now_ms_ = static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1000000;
}

bool Reactor::add(int fd, std::uint32_t events, Handler* handler) {
  const auto index = static_cast<std::size_t>(fd);
  if (slots_.size() <= index) slots_.resize(index + 1);
  slots_[index].handler = handler;
  ++slots_[index].generation;
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{slots_[index].generation} << 32U | static_cast<std::uint32_t>(fd);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return true;
  slots_[index].handler = nullptr;
  return false;
}

void Reactor::modify(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{slots_[static_cast<std::size_t>(fd)].generation} << 32U |
                   static_cast<std::uint32_t>(fd);
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Reactor::remove(int fd) {
  if (fd < 0 || slots_.size() <= static_cast<std::size_t>(fd)) return;
  Slot& slot = slots_[static_cast<std::size_t>(fd)];
  if (slot.handler == nullptr) return;
  slot.handler = nullptr;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Reactor::bury(std::unique_ptr<Handler> handler) {
  handler->buried = true;
  buried_.push_back(std::move(handler));
}

void Reactor::run() {
  std::int64_t next_tick = 0;
  while (!stopped_) {
    epoll_event events[kEventsPerRound];
    const int n = ::epoll_wait(epoll_.get(), events, kEventsPerRound, ticking_ ? kTickMs : -1);
    if (n < 0 && errno != EINTR) return;
    update_clock();
    for (int i = 0; i < n; ++i) {
      const auto fd = static_cast<int>(events[i].data.u64 & 0xffffffffU);
      const Slot slot = slots_[static_cast<std::size_t>(fd)];
      if (slot.handler == nullptr || slot.generation != events[i].data.u64 >> 32U ||
          slot.handler->buried)
        continue;
      slot.handler->on_event(fd, events[i].events);
    }
    if (ticking_ && now_ms_ >= next_tick) {
      next_tick = now_ms_ + kTickMs;
      ticking_ = tick_ && tick_(now_ms_);
    }
    buried_.clear();
  }
}

}  // namespace stack::netd
