#include "base/event_loop.h"

#include <poll.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace stack {

namespace asio = boost::asio;
using boost::system::error_code;

struct EventLoop::Impl {
  asio::io_context context{1};
};

struct EventLoop::Timer::State {
  explicit State(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  std::function<void()> fn;
  bool cancelled = false;
};

struct EventLoop::Watch::State {
  std::unique_ptr<asio::posix::stream_descriptor> descriptor;
  std::unique_ptr<asio::signal_set> signals;
  std::function<void()> readable;
  std::function<void(int)> signalled;
  bool cancelled = false;
};

namespace {

bool is_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, 0) != 0;  // an error or a hang-up is something to read, too
}

// The callback is held by the state, and the state by the pending operation: a cancelled object
// lives until asio lets go. Being woken is a hint: asio keeps what it knows of a descriptor in an
// object that it gives to the next one, and what the kernel has said of the first may reach the
// second. A shim that is thought to have ended is killed, so the descriptor is asked itself.
void wait_readable(const std::shared_ptr<EventLoop::Watch::State>& state) {
  state->descriptor->async_wait(asio::posix::stream_descriptor::wait_read,
                                [state](const error_code& ec) {
                                  if (ec || state->cancelled) return;
                                  if (is_readable(state->descriptor->native_handle()))
                                    state->readable();
                                  if (!state->cancelled) wait_readable(state);
                                });
}

void wait_signal(const std::shared_ptr<EventLoop::Watch::State>& state) {
  state->signals->async_wait([state](const error_code& ec, int signal) {
    if (ec || state->cancelled) return;
    state->signalled(signal);
    if (!state->cancelled) wait_signal(state);
  });
}

}  // namespace

void EventLoop::Timer::cancel() {
  if (!state_) return;
  state_->cancelled = true;
  state_->timer.cancel();
  state_.reset();
}

EventLoop::Timer& EventLoop::Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

void EventLoop::Watch::cancel() {
  if (!state_) return;
  state_->cancelled = true;
  if (state_->descriptor)
    (void)state_->descriptor->release();  // the caller owns the descriptor; release cancels
  if (state_->signals) state_->signals->cancel();
  state_.reset();
}

EventLoop::Watch& EventLoop::Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  auto work = asio::make_work_guard(impl_->context);
  impl_->context.restart();
  impl_->context.run();
}

void EventLoop::stop() { impl_->context.stop(); }

void EventLoop::post(std::function<void()> fn) { asio::post(impl_->context, std::move(fn)); }

EventLoop::Timer EventLoop::after(std::chrono::nanoseconds delay, std::function<void()> fn) {
  auto state = std::make_shared<Timer::State>(impl_->context);
  state->fn = std::move(fn);
  state->timer.expires_after(delay);
  state->timer.async_wait([state](const error_code& ec) {
    if (!ec && !state->cancelled) state->fn();
  });
  return Timer(std::move(state));
}

EventLoop::Watch EventLoop::on_readable(int fd, std::function<void()> fn) {
  auto state = std::make_shared<Watch::State>();
  state->readable = std::move(fn);
  state->descriptor = std::make_unique<asio::posix::stream_descriptor>(impl_->context, fd);
  wait_readable(state);
  return Watch(std::move(state));
}

EventLoop::Watch EventLoop::on_signal(std::initializer_list<int> signals,
                                      std::function<void(int)> fn) {
  auto state = std::make_shared<Watch::State>();
  state->signalled = std::move(fn);
  state->signals = std::make_unique<asio::signal_set>(impl_->context);
  for (const int signal : signals) state->signals->add(signal);
  wait_signal(state);
  return Watch(std::move(state));
}

asio::io_context& EventLoop::asio() { return impl_->context; }

}  // namespace stack
