// Sockets of stack-netd, and of who asks what it could bind. Values of errno(3) come back through errno; an empty Fd means failure.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "netd/address.h"

namespace stack::netd {

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  bool operator==(const Endpoint& other) const;
};
Endpoint make_endpoint(const Address& address, std::uint16_t port);

// Moves the whole (single-threaded) process into a namespace and back. Failing to come back ends
// the program: everything it did afterwards would happen in the wrong place.
class NamespaceVisit {
 public:
  NamespaceVisit(int home, int target);
  ~NamespaceVisit();
  NamespaceVisit(const NamespaceVisit&) = delete;
  NamespaceVisit& operator=(const NamespaceVisit&) = delete;
  bool ok() const { return ok_; }

 private:
  int home_;
  bool ok_;
};

// The namespace a socket belongs to, SIOCGSKNS in linux/sockios.h.
Fd namespace_of_socket(int socket);

Fd new_socket(int family, int type);                     // non-blocking
Fd bound_socket(const Endpoint& address, int type);      // listening when a stream
Fd connected_socket(const Endpoint& address, int type);  // stream: the connection is under way
int socket_error(int fd);                                // takes SO_ERROR

// Unpredictable 16 bits, from getrandom(2) in blocks.
std::uint16_t random16();

}  // namespace stack::netd
