#include "netd/proxy.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stack::netd {

namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kMaxFlows = 4096;
constexpr std::int64_t kFlowIdleMs = 90000;

char g_chunk[kChunk];  // one thread, nothing kept between calls

std::string describe(const PublishedPort& p, const std::string& ip) {
  const bool v6 = ip.find(':') != std::string::npos;
  const std::string host = (v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(p.host_port);
  const std::string target =
      p.container_ipv4.empty() ? "[" + p.container_ipv6 + "]" : p.container_ipv4;
  return "failed to bind host port for " + host + ":" + target + ":" +
         std::to_string(p.container_port) + "/" + p.protocol;
}

std::string reason(int error) {
  if (error == EADDRINUSE) return "address already in use";
  if (error == EADDRNOTAVAIL) return "cannot assign requested address";
  return std::strerror(error);
}

}  // namespace

PortListener::~PortListener() { proxies_.reactor().remove(socket_.get()); }

bool PortListener::start() { return proxies_.reactor().add(socket_.get(), EPOLLIN, this); }

void PortListener::on_event(int, std::uint32_t) {
  if (tcp_) {
    accept();
  } else {
    receive();
  }
}

void PortListener::accept() {
  for (int i = 0; i < 16; ++i) {
    Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    Fd server = proxies_.room_for_relay() ? connected_socket(target_, SOCK_STREAM) : Fd();
    if (!server) continue;  // closes the client's connection
    auto relay = std::make_unique<TcpRelay>(proxies_, this, std::move(client), std::move(server));
    if (relay->start()) proxies_.add_relay(std::move(relay));
  }
}

void PortListener::receive() {
  for (int i = 0; i < 64; ++i) {
    Endpoint client;
    char control[256];
    iovec part{g_chunk, sizeof g_chunk};
    msghdr message{};
    message.msg_name = &client.storage;
    message.msg_namelen = sizeof client.storage;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (n < 0) return;
    client.size = message.msg_namelen;
    // The same structure that says where the packet came in says where the answer is to leave; only
    // the interface of an IPv4 packet must not be forced.
    std::string info;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      const bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO;
      const bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO;
      if (!v4 && !v6) continue;
      if (v4) {
        auto* data = reinterpret_cast<in_pktinfo*>(CMSG_DATA(c));
        data->ipi_ifindex = 0;
      }
      info.assign(reinterpret_cast<const char*>(c), CMSG_SPACE(c->cmsg_len - CMSG_LEN(0)));
    }
    std::string key(reinterpret_cast<const char*>(&client.storage), client.size);
    key += info;
    key += std::to_string(socket_.get());
    UdpFlow* flow = proxies_.flow(key);
    if (flow == nullptr) {
      Fd server = connected_socket(target_, SOCK_DGRAM);
      if (!server) continue;
      auto fresh =
          std::make_unique<UdpFlow>(proxies_, this, socket_.get(), client, info, std::move(server));
      if (!fresh->start()) continue;
      flow = proxies_.add_flow(key, std::move(fresh));
      if (flow == nullptr) continue;
    }
    flow->send(g_chunk, static_cast<std::size_t>(n));
  }
}

TcpRelay::TcpRelay(Proxies& proxies, const PortListener* listener, Fd client, Fd server)
    : proxies_(proxies), listener_(listener) {
  client_.fd = std::move(client);
  server_.fd = std::move(server);
}

TcpRelay::~TcpRelay() {
  proxies_.reactor().remove(client_.fd.get());
  proxies_.reactor().remove(server_.fd.get());
}

bool TcpRelay::start() {
  return proxies_.reactor().add(client_.fd.get(), 0, this) &&
         proxies_.reactor().add(server_.fd.get(), EPOLLOUT, this);
}

void TcpRelay::watch(const Side& side, const Side& other) {
  // Read only when the other side has taken everything: at most one chunk is held for each
  // direction.
  const bool reads = !side.ended && other.pending.empty();
  proxies_.reactor().modify(side.fd.get(),
                            (reads ? EPOLLIN : 0U) | (side.pending.empty() ? 0U : EPOLLOUT));
}

bool TcpRelay::pump(Side& from, Side& to) {
  while (!to.pending.empty()) {
    const ssize_t n =
        ::send(to.fd.get(), to.pending.data(), to.pending.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n < 0) return false;
    to.pending.erase(0, static_cast<std::size_t>(n));
  }
  for (int i = 0; i < 8 && !from.ended; ++i) {
    const ssize_t n = ::recv(from.fd.get(), g_chunk, sizeof g_chunk, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n < 0) return false;
    if (n == 0) {
      from.ended = true;
      break;
    }
    ssize_t sent =
        ::send(to.fd.get(), g_chunk, static_cast<std::size_t>(n), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    sent = std::max<ssize_t>(sent, 0);
    if (sent < n) {
      to.pending.assign(g_chunk + sent, static_cast<std::size_t>(n - sent));
      break;
    }
  }
  if (from.ended && to.pending.empty() && !to.shut) {
    to.shut = true;
    (void)::shutdown(to.fd.get(), SHUT_WR);
  }
  return true;
}

void TcpRelay::on_event(int fd, std::uint32_t events) {
  if (connecting_) {
    if (fd != server_.fd.get()) {
      // The client left before the container answered.
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) proxies_.drop_relay(this);
      return;
    }
    if (socket_error(fd) != 0) {
      proxies_.drop_relay(this);
      return;
    }
    connecting_ = false;
  } else if ((events & EPOLLERR) != 0) {
    proxies_.drop_relay(this);
    return;
  }
  if (!pump(client_, server_) || !pump(server_, client_) || (client_.shut && server_.shut)) {
    proxies_.drop_relay(this);
    return;
  }
  // A closed connection reports EPOLLHUP for ever; what it sent is still on its way to the other
  // side.
  const Side& side = fd == client_.fd.get() ? client_ : server_;
  if ((events & EPOLLHUP) != 0 && side.ended) proxies_.reactor().remove(fd);
  watch(client_, server_);
  watch(server_, client_);
}

UdpFlow::~UdpFlow() { proxies_.reactor().remove(server_.get()); }

bool UdpFlow::start() { return proxies_.reactor().add(server_.get(), EPOLLIN, this); }

void UdpFlow::send(const char* data, std::size_t size) {
  deadline_ms = proxies_.reactor().now_ms() + kFlowIdleMs;
  (void)::send(server_.get(), data, size, MSG_DONTWAIT);
}

void UdpFlow::on_event(int fd, std::uint32_t) {
  for (int i = 0; i < 64; ++i) {
    const ssize_t n = ::recv(fd, g_chunk, sizeof g_chunk, MSG_DONTWAIT);
    if (n < 0) return;  // also ECONNREFUSED: the container's server is not there yet
    deadline_ms = proxies_.reactor().now_ms() + kFlowIdleMs;
    iovec part{g_chunk, static_cast<std::size_t>(n)};
    msghdr message{};
    message.msg_name = &client_.storage;
    message.msg_namelen = client_.size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!control_.empty()) {
      message.msg_control = control_.data();
      message.msg_controllen = control_.size();
    }
    (void)::sendmsg(reply_socket_, &message, MSG_DONTWAIT);
  }
}

Proxies::~Proxies() {
  relays_.clear();
  flows_.clear();
  listeners_.clear();
}

namespace {

// IPv6 clients of a container without IPv6 are sent to its IPv4 address.
std::optional<Address> target_of(const PublishedPort& port, bool from_v6) {
  const auto v4 = parse_address(port.container_ipv4);
  const auto v6 = parse_address(port.container_ipv6);
  return from_v6 && v6 ? v6 : (v4 ? v4 : v6);
}

}  // namespace

std::string Proxies::set(const std::string& id, const std::vector<PublishedPort>& ports) {
  std::vector<std::unique_ptr<PortListener>> fresh;
  auto& current = listeners_[id];
  // Old ones first: the same host port may go to another address of the container now.
  for (auto& listener : current) {
    if (std::find(ports.begin(), ports.end(), listener->port()) == ports.end())
      drop_listener(std::move(listener));
  }
  std::erase(current, nullptr);
  const auto is_held = [&](const PublishedPort& p) {
    return std::any_of(current.begin(), current.end(),
                       [&](const auto& l) { return l->port() == p; });
  };
  std::string error;
  for (const PublishedPort& port : ports) {
    if (!error.empty()) break;
    if (is_held(port) || (port.protocol != "tcp" && port.protocol != "udp")) continue;
    const bool tcp = port.protocol == "tcp";
    const std::vector<std::string> hosts = port.host_ip.empty()
                                               ? std::vector<std::string>{"0.0.0.0", "::"}
                                               : std::vector<std::string>{port.host_ip};
    for (const std::string& host : hosts) {
      const auto address = parse_address(host);
      const auto target = address ? target_of(port, address->v6) : std::nullopt;
      if (!address || !target) {
        error = describe(port, host) + ": invalid address";
        break;
      }
      Fd socket = bound_socket(make_endpoint(*address, static_cast<std::uint16_t>(port.host_port)),
                               tcp ? SOCK_STREAM : SOCK_DGRAM);
      if (!socket) {
        const bool optional = port.host_ip.empty() && address->v6;
        if (optional && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
          continue;  // a host without IPv6
        error = describe(port, host) + ": " + reason(errno);
        break;
      }
      if (!tcp) {
        const int on = 1;
        (void)::setsockopt(socket.get(), address->v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                           address->v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on);
      }
      auto listener = std::make_unique<PortListener>(
          *this, port, make_endpoint(*target, static_cast<std::uint16_t>(port.container_port)), tcp,
          address->v6, std::move(socket));
      if (!listener->start()) {
        error = describe(port, host) + ": " + reason(errno);
        break;
      }
      fresh.push_back(std::move(listener));
    }
  }
  if (error.empty()) {
    for (auto& listener : fresh) current.push_back(std::move(listener));
  }
  if (current.empty()) listeners_.erase(id);
  return error;
}

void Proxies::remove(const std::string& id) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return;
  for (auto& listener : found->second) drop_listener(std::move(listener));
  listeners_.erase(found);
}

std::string Proxies::hand_over(const std::string& from, const std::string& to,
                               const std::vector<PublishedPort>& ports) {
  const auto given = listeners_.find(from);
  if (given != listeners_.end()) {
    auto moved = std::move(given->second);
    listeners_.erase(given);
    for (auto& listener : moved) {
      const PublishedPort& old = listener->port();
      const auto match = std::find_if(ports.begin(), ports.end(), [&](const PublishedPort& p) {
        return p.protocol == old.protocol && p.host_port == old.host_port &&
               p.host_ip == old.host_ip;
      });
      const auto target = match == ports.end() ? std::nullopt : target_of(*match, listener->v6());
      if (!target) {
        drop_listener(std::move(listener));
        continue;
      }
      // Datagrams have no connections: the next one goes to the new container.
      std::erase_if(flows_,
                    [&](const auto& entry) { return entry.second->listener() == listener.get(); });
      listener->retarget(*match,
                         make_endpoint(*target, static_cast<std::uint16_t>(match->container_port)));
      listeners_[to].push_back(std::move(listener));
    }
  }
  return set(to, ports);
}

void Proxies::drop_listener(std::unique_ptr<PortListener> listener) {
  std::vector<TcpRelay*> relays;
  for (const auto& [relay, owned] : relays_) {
    if (relay->listener() == listener.get()) relays.push_back(relay);
  }
  for (TcpRelay* relay : relays) drop_relay(relay);
  std::erase_if(flows_,
                [&](const auto& entry) { return entry.second->listener() == listener.get(); });
  listener.reset();  // closes at once: the next container may want the port
}

void Proxies::add_relay(std::unique_ptr<TcpRelay> relay) {
  TcpRelay* key = relay.get();
  relays_.emplace(key, std::move(relay));
}

void Proxies::drop_relay(TcpRelay* relay) {
  const auto found = relays_.find(relay);
  if (found == relays_.end()) return;
  reactor_.bury(std::move(found->second));
  relays_.erase(found);
}

UdpFlow* Proxies::flow(const std::string& key) {
  const auto found = flows_.find(key);
  return found == flows_.end() ? nullptr : found->second.get();
}

UdpFlow* Proxies::add_flow(const std::string& key, std::unique_ptr<UdpFlow> flow) {
  if (flows_.size() >= kMaxFlows) return nullptr;
  reactor_.wake_ticks();
  return flows_.insert_or_assign(key, std::move(flow)).first->second.get();
}

bool Proxies::tick(std::int64_t now_ms) {
  std::erase_if(flows_, [&](const auto& entry) { return now_ms >= entry.second->deadline_ms; });
  return !flows_.empty();
}

}  // namespace stack::netd
