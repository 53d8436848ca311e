// Network namespaces for the root tests: "the host" (the test's thread moves into a fresh one),
// neighbours and containers. Sockets stay in the namespace they were made in, so everything is
// driven from one thread.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/fd.h"
#include "netd/endpoint.h"
#include "netd/ipam.h"
#include "netd/namespace.h"
#include "netd/network.h"

namespace stack::netd::test {

inline void run(const std::string& command) {
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

inline SocketAddress socket_address(const std::string& ip, int port) {
  SocketAddress out;
  const Address a = parse_address(ip).value();
  if (a.v6) {
    auto* s = reinterpret_cast<sockaddr_in6*>(&out.storage);
    s->sin6_family = AF_INET6;
    s->sin6_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&s->sin6_addr, a.bytes, 16);
    out.size = sizeof *s;
  } else {
    auto* s = reinterpret_cast<sockaddr_in*>(&out.storage);
    s->sin_family = AF_INET;
    s->sin_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&s->sin_addr, a.bytes, 4);
    out.size = sizeof *s;
  }
  return out;
}

inline std::string ip_of(const SocketAddress& s) {
  char text[INET6_ADDRSTRLEN];
  const void* raw =
      s.storage.ss_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&s.storage)->sin6_addr)
          : &reinterpret_cast<const sockaddr_in*>(&s.storage)->sin_addr;
  return ::inet_ntop(s.storage.ss_family, raw, text, sizeof text);
}

// ns < 0: the test's own namespace ("the host").
inline Fd make_socket(int ns, int family, int type) {
  Fd fd;
  const auto make = [&]() -> Status {
    fd = Fd(::socket(family, type | SOCK_CLOEXEC, 0));
    return ok_status();
  };
  if (ns < 0) {
    (void)make();
  } else {
    const Status s = run_in_namespace(ns, make);
    EXPECT_TRUE(s.ok());
  }
  EXPECT_TRUE(fd) << strerror(errno);
  return fd;
}

inline Fd bound(int ns, const std::string& ip, int port, int type) {
  const SocketAddress a = socket_address(ip, port);
  Fd fd = make_socket(ns, a.storage.ss_family, type);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  EXPECT_EQ(::bind(fd.get(), a.get(), a.size), 0) << ip << ":" << port << " " << strerror(errno);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(::listen(fd.get(), 64), 0);
  }
  return fd;
}

inline bool readable(int fd, int ms) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, ms) == 1;
}

// An established connection, or an empty Fd. `from` binds the client to a local address.
inline Fd connect_tcp(int ns, const std::string& ip, int port, int ms = 1500,
                      const std::string& from = "") {
  const SocketAddress a = socket_address(ip, port);
  Fd fd = make_socket(ns, a.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK);
  if (!from.empty()) {
    const SocketAddress f = socket_address(from, 0);
    EXPECT_EQ(::bind(fd.get(), f.get(), f.size), 0) << strerror(errno);
  }
  if (::connect(fd.get(), a.get(), a.size) != 0 && errno != EINPROGRESS) return {};
  pollfd p{fd.get(), POLLOUT, 0};
  if (::poll(&p, 1, ms) != 1) return {};
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return {};
  return fd;
}

// Connects and proves that the listener at the other end is `server`: bytes go there and back.
// Returns the client's address as the server sees it, "" when it cannot be reached.
inline std::string reach_tcp(int ns, const std::string& ip, int port, const Fd& server,
                             int ms = 1500) {
  const Fd client = connect_tcp(ns, ip, port, ms);
  if (!client || !readable(server.get(), ms)) return "";
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  const Fd accepted(::accept4(server.get(), peer.get(), &peer.size, SOCK_CLOEXEC));
  if (!accepted) return "";
  char buffer[8] = {};
  if (::write(client.get(), "ping", 4) != 4 || !readable(accepted.get(), ms)) return "";
  if (::read(accepted.get(), buffer, sizeof buffer) != 4 || ::write(accepted.get(), "pong", 4) != 4)
    return "";
  if (!readable(client.get(), ms) || ::read(client.get(), buffer, sizeof buffer) != 4) return "";
  return ip_of(peer);
}

inline std::string reach_udp(int ns, const std::string& ip, int port, const Fd& server,
                             int ms = 1500) {
  const SocketAddress a = socket_address(ip, port);
  const Fd client = make_socket(ns, a.storage.ss_family, SOCK_DGRAM);
  if (::connect(client.get(), a.get(), a.size) != 0) return "";
  char buffer[8] = {};
  if (::send(client.get(), "ping", 4, 0) != 4 || !readable(server.get(), ms)) return "";
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  if (::recvfrom(server.get(), buffer, sizeof buffer, 0, peer.get(), &peer.size) != 4) return "";
  ::sendto(server.get(), "pong", 4, 0, peer.get(), peer.size);
  if (!readable(client.get(), ms) || ::recv(client.get(), buffer, sizeof buffer, 0) != 4) return "";
  return ip_of(peer);
}

// The fixture: the test's thread is alone in a new namespace with lo up; `outside` is a neighbour
// on the same wire as the host's eth0 (10.99.0.1/24 and fd99::1/64 here, .2 and ::2 there).
class NetworkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNET | CLONE_NEWNS), 0) << "the test needs root";
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("sysfs", "/sys", "sysfs", 0, nullptr), 0);
    run("ip link set lo up; sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
    outside = create_namespace().value();
    Fd keep = Fd(::dup(outside.get()));  // inherited by `ip`
    const std::string path = "/proc/self/fd/" + std::to_string(keep.get());
    run("ip link add eth0 type veth peer name eth0 netns " + path +
        " && ip addr add 10.99.0.1/24 dev eth0 && ip addr add fd99::1/64 dev eth0 nodad && ip link "
        "set eth0 up");
    const Status inner = run_in_namespace(outside.get(), []() -> Status {
      run("sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=0; ip addr add 10.99.0.2/24 dev eth0;"
          "ip addr add fd99::2/64 dev eth0 nodad; ip link set eth0 up; ip route add default via "
          "10.99.0.1");
      return ok_status();
    });
    ASSERT_TRUE(inner.ok());
  }

  NetworkSpec network(const std::string& id_prefix, const std::string& cidr,
                      const std::string& gateway) {
    NetworkSpec n;
    n.id = id_prefix + std::string(64 - id_prefix.size(), '0');
    n.name = "test_" + id_prefix;
    n.bridge = bridge_name(n.id);
    n.ipv4 = {{cidr, gateway, ""}};
    return n;
  }

  EndpointSpec endpoint(const NetworkSpec& n, const std::string& ip,
                        const std::string& interface = "eth0") {
    EndpointSpec e;
    e.network_id = n.id;
    e.bridge = n.bridge;
    e.interface = interface;
    e.ipv4 = ip + n.ipv4[0].cidr.substr(n.ipv4[0].cidr.find('/'));
    e.gateway4 = n.ipv4[0].gateway;
    e.default_route4 = !n.internal;
    e.mac = random_mac();
    return e;
  }

  Fd container(const std::vector<EndpointSpec>& endpoints) {
    auto ns = create_namespace();
    EXPECT_TRUE(ns.ok()) << ns.error().to_string();
    const Status s = attach_endpoints(ns->get(), endpoints);
    EXPECT_TRUE(s.ok()) << s.error().to_string();
    return std::move(*ns);
  }

  Fd outside;
  static constexpr int kHost = -1;
};

#define EXPECT_OK(expr)                                                             \
  do {                                                                              \
    const auto status_ = (expr);                                                    \
    EXPECT_TRUE(status_.ok()) << #expr << ": "                                      \
                              << (status_.ok() ? "" : status_.error().to_string()); \
  } while (false)
#define ASSERT_OK(expr)                                                             \
  do {                                                                              \
    const auto status_ = (expr);                                                    \
    ASSERT_TRUE(status_.ok()) << #expr << ": "                                      \
                              << (status_.ok() ? "" : status_.error().to_string()); \
  } while (false)

}  // namespace stack::netd::test
