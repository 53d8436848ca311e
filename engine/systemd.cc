#include "engine/systemd.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "base/log.h"

namespace stack::engine {

SystemdNotifier::SystemdNotifier(EventLoop& loop) : loop_(loop) {
  if (const char* path = ::getenv("NOTIFY_SOCKET")) socket_ = path;
  const char* pid = ::getenv("WATCHDOG_PID");
  const char* period = ::getenv("WATCHDOG_USEC");
  if (period != nullptr && (pid == nullptr || std::atoi(pid) == ::getpid()))
    watchdog_ = std::chrono::microseconds(std::atoll(period));
  for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"})
    ::unsetenv(variable);
}

void SystemdNotifier::ready(const std::string& status) {
  send(fmt::format("READY=1\nSTATUS={}\nMAINPID={}", status, ::getpid()));
  if (watchdog_.count() > 0) keep_alive();
}

void SystemdNotifier::stopping() { send("STOPPING=1"); }

// From the loop itself: a loop that hangs is what the watchdog is to notice.
void SystemdNotifier::keep_alive() {
  send("WATCHDOG=1");
  timer_ = loop_.after(watchdog_ / 2, [this] { keep_alive(); });
}

void SystemdNotifier::send(std::string_view text) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // abstract
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  if (!fd || ::sendto(fd.get(), text.data(), text.size(), MSG_NOSIGNAL,
                      reinterpret_cast<const sockaddr*>(&address), length) < 0)
    log_warning("telling systemd: {}", std::strerror(errno));
}

}  // namespace stack::engine
