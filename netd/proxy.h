// Published host ports: every one is bound here, so that nobody else can take it, and what arrives
// (IPv6 clients of an IPv4-only container, [::1], anything while the kernel's rules are missing) is
// passed on by hand.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "netd/daemon_sockets.h"
#include "netd/ports.h"
#include "netd/reactor.h"

namespace stack::netd {

class Proxies;

// One bound socket.
class PortListener final : public Handler {
 public:
  PortListener(Proxies& proxies, PublishedPort port, Endpoint target, bool tcp, bool v6, Fd socket)
      : proxies_(proxies),
        port_(std::move(port)),
        target_(target),
        tcp_(tcp),
        v6_(v6),
        socket_(std::move(socket)) {}
  ~PortListener() override;
  bool start();
  void on_event(int fd, std::uint32_t events) override;
  const PublishedPort& port() const { return port_; }
  // New connections go there from now on.
  void retarget(PublishedPort port, Endpoint target) {
    port_ = std::move(port);
    target_ = target;
  }
  bool v6() const { return v6_; }

 private:
  void accept();
  void receive();
  Proxies& proxies_;
  PublishedPort port_;
  Endpoint target_;
  bool tcp_;
  bool v6_;  // the address that it is bound to
  Fd socket_;
};

// Bytes between two TCP connections, each direction on its own (half-close included).
class TcpRelay final : public Handler {
 public:
  TcpRelay(Proxies& proxies, const PortListener* listener, Fd client, Fd server);
  ~TcpRelay() override;
  bool start();
  void on_event(int fd, std::uint32_t events) override;
  const PortListener* listener() const { return listener_; }

 private:
  struct Side {
    Fd fd;
    std::string pending;  // bytes for this side
    bool ended = false;   // it will send nothing more
    bool shut = false;    // we told it that nothing more comes
  };
  bool pump(Side& from, Side& to);
  void watch(const Side& side, const Side& other);
  Proxies& proxies_;
  const PortListener* listener_;
  Side client_;
  Side server_;
  bool connecting_ = true;
};

// Datagrams of one client. The answers must leave from the address the client sent to.
class UdpFlow final : public Handler {
 public:
  UdpFlow(Proxies& proxies, const PortListener* listener, int reply_socket, const Endpoint& client,
          std::string control, Fd server)
      : proxies_(proxies),
        listener_(listener),
        reply_socket_(reply_socket),
        client_(client),
        control_(std::move(control)),
        server_(std::move(server)) {}
  ~UdpFlow() override;
  bool start();
  void send(const char* data, std::size_t size);
  void on_event(int fd, std::uint32_t events) override;
  const PortListener* listener() const { return listener_; }
  std::int64_t deadline_ms = 0;

 private:
  Proxies& proxies_;
  const PortListener* listener_;
  int reply_socket_;
  Endpoint client_;
  std::string control_;  // the packet information to send with, ip(7) and ipv6(7)
  Fd server_;
};

class Proxies {
 public:
  explicit Proxies(Reactor& reactor) : reactor_(reactor) {}
  ~Proxies();

  // Makes `ports` the ports of the container: lets go of others, then binds the new ones, all or
  // none; the error text names the port. Connections through ports that stay are kept.
  std::string set(const std::string& id, const std::vector<PublishedPort>& ports);
  void remove(const std::string& id);
  // The listeners of one container become another's, without a moment in which nobody listens;
  // connections that are there stay with the container they reached. Then as set().
  std::string hand_over(const std::string& from, const std::string& to,
                        const std::vector<PublishedPort>& ports);
  bool tick(std::int64_t now_ms);

  // For the handlers.
  Reactor& reactor() { return reactor_; }
  void add_relay(std::unique_ptr<TcpRelay> relay);
  void drop_relay(TcpRelay* relay);
  bool room_for_relay() const { return relays_.size() < 4096; }
  UdpFlow* flow(const std::string& key);
  UdpFlow* add_flow(const std::string& key, std::unique_ptr<UdpFlow> flow);

 private:
  void drop_listener(std::unique_ptr<PortListener> listener);
  Reactor& reactor_;
  std::unordered_map<std::string, std::vector<std::unique_ptr<PortListener>>> listeners_;
  std::unordered_map<TcpRelay*, std::unique_ptr<TcpRelay>> relays_;
  std::unordered_map<std::string, std::unique_ptr<UdpFlow>> flows_;
};

}  // namespace stack::netd
