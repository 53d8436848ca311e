#include "netd/daemon_sockets.h"

#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace stack::netd {

bool Endpoint::operator==(const Endpoint& other) const {
  return size == other.size && std::memcmp(&storage, &other.storage, size) == 0;
}

Endpoint make_endpoint(const Address& a, std::uint16_t port) {
  Endpoint out;
  if (a.v6) {
    sockaddr_in6 s{};
    s.sin6_family = AF_INET6;
    s.sin6_port = htons(port);
    std::memcpy(&s.sin6_addr, a.bytes, 16);
    std::memcpy(&out.storage, &s, sizeof s);
    out.size = sizeof s;
  } else {
    sockaddr_in s{};
    s.sin_family = AF_INET;
    s.sin_port = htons(port);
    std::memcpy(&s.sin_addr, a.bytes, 4);
    std::memcpy(&out.storage, &s, sizeof s);
    out.size = sizeof s;
  }
  return out;
}

NamespaceVisit::NamespaceVisit(int home, int target)
    : home_(home), ok_(::setns(target, CLONE_NEWNET) == 0) {}

NamespaceVisit::~NamespaceVisit() {
  if (!ok_) return;
  const int saved = errno;  // of what was done there
  if (::setns(home_, CLONE_NEWNET) != 0) std::abort();
  errno = saved;
}

Fd namespace_of_socket(int socket) { return Fd(::ioctl(socket, SIOCGSKNS)); }

Fd new_socket(int family, int type) {
  return Fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

Fd bound_socket(const Endpoint& address, int type) {
  Fd fd = new_socket(address.family(), type);
  if (!fd) return fd;
  const int on = 1;
  // Connections in TIME_WAIT do not keep the port; a listening socket of somebody else still does.
  if (type == SOCK_STREAM) (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6)
    (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(fd.get(), address.get(), address.size) != 0 ||
      (type == SOCK_STREAM && ::listen(fd.get(), SOMAXCONN) != 0)) {
    const int saved = errno;
    fd.reset();
    errno = saved;
  }
  return fd;
}

Fd connected_socket(const Endpoint& address, int type) {
  Fd fd = new_socket(address.family(), type);
  if (!fd) return fd;
  if (::connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    const int saved = errno;
    fd.reset();
    errno = saved;
  }
  return fd;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

std::uint16_t random16() {
  static std::uint16_t pool[128];
  static std::size_t used = std::size(pool);
  if (used == std::size(pool)) {
    if (::getrandom(pool, sizeof pool, 0) != sizeof pool) std::abort();
    used = 0;
  }
  return pool[used++];
}

}  // namespace stack::netd
