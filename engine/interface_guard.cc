#include "engine/interface_guard.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/containers.h"

namespace stack::engine {

namespace {

// The name of the link that an RTM_DELLINK is about, rtnetlink(7).
std::string deleted_link(const nlmsghdr* header) {
  if (header->nlmsg_type != RTM_DELLINK) return {};
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
  auto left = static_cast<int>(IFLA_PAYLOAD(header));
  for (const rtattr* a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type == IFLA_IFNAME) return static_cast<const char*>(RTA_DATA(a));
  }
  return {};
}

}  // namespace

InterfaceGuard::InterfaceGuard(Services& services) : services_(services) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    log_warning("interfaces that are taken away are not noticed: {}", std::strerror(errno));
    return;
  }
  events_ = std::move(fd);
  watch_ = services_.loop.on_readable(events_.get(), [this] { take_events(); });
}

void InterfaceGuard::take_events() {
  alignas(nlmsghdr) char buffer[16 * 1024];
  for (;;) {
    const ssize_t n = ::recv(events_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (n <= 0) return;
    auto left = static_cast<unsigned>(n);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      // Ours are called so: netd/endpoint.h.
      if (const std::string name = deleted_link(header); name.rfind("stv", 0) == 0)
        services_.containers->interface_lost(name);
    }
  }
}

}  // namespace stack::engine
