// What systemd wants to know of a service of Type=notify, sd_notify(3): ready, alive, stopping. The
// protocol is a datagram of lines to the socket in $NOTIFY_SOCKET, so no library is needed.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/event_loop.h"

namespace stack::engine {

class SystemdNotifier {
 public:
  // Reads $NOTIFY_SOCKET and $WATCHDOG_USEC and takes them out of the environment: they are not for
  // what we start. Without them nothing is ever sent.
  explicit SystemdNotifier(EventLoop& loop);
  void ready(const std::string& status);
  void stopping();

 private:
  void send(std::string_view text) const;
  void keep_alive();

  EventLoop& loop_;
  std::string socket_;
  std::chrono::microseconds watchdog_{0};
  EventLoop::Timer timer_;
};

}  // namespace stack::engine
