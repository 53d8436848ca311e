// The resolver inside each container: UDP and TCP on 127.0.0.11:kResolverPort of its namespace.
// Answers what the NameTable knows and passes the rest to upstream servers: the host's, asked from
// the host's namespace (so that 127.0.0.53 there works), or the container's own `dns:` servers,
// asked from the container's namespace.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "netd/daemon_sockets.h"
#include "netd/dns_message.h"
#include "netd/names.h"
#include "netd/reactor.h"

namespace stack::netd {

// The host's name servers; reads the file again when it changed (looked at once a second at most).
class HostServers {
 public:
  explicit HostServers(std::string path) : path_(std::move(path)) {}
  const std::vector<Endpoint>& get(std::int64_t now_ms);
  static std::vector<Endpoint> parse(const std::string& text);

 private:
  std::string path_;
  std::vector<Endpoint> servers_;
  std::int64_t looked_ms_ = -1;
  std::int64_t seen_ = 0;  // change time of the file in ns
};

class Resolver;

// One container: its two listening sockets.
class ContainerResolver final : public Handler {
 public:
  ContainerResolver(Resolver& resolver, std::string id) : resolver_(resolver), id_(std::move(id)) {}
  ~ContainerResolver() override;
  bool listen(int home, int netns);  // false: errno
  void on_event(int fd, std::uint32_t events) override;
  const std::string& id() const { return id_; }
  int udp() const { return udp_.get(); }
  std::uint64_t netns_inode() const { return inode_; }
  void reply_udp(const Endpoint& client, const std::uint8_t* data, std::size_t size) const;

  int forwards = 0;     // under way
  int connections = 0;  // TCP clients

 private:
  void serve_udp();
  void accept_tcp();
  Resolver& resolver_;
  std::string id_;
  Fd udp_;
  Fd tcp_;
  std::uint64_t inode_ = 0;
};

// What a question got: an answer in `size` bytes, or it has to be forwarded.
struct Outcome {
  bool forward = false;
  std::size_t size = 0;  // 0 and not forward: no answer
};

class Resolver {
 public:
  Resolver(Reactor& reactor, int home_netns, std::string resolv_conf);
  ~Resolver();

  // netns < 0: only names. Returns an error text, empty when fine.
  std::string set(ContainerNames container, int netns);
  void remove(const std::string& id);
  bool knows(const std::string& id) const { return resolvers_.contains(id); }
  std::vector<std::string> ids() const;
  bool tick(std::int64_t now_ms);  // times out; true while something may

  // For the handlers.
  Reactor& reactor() { return reactor_; }
  Outcome decide(const std::string& id, std::span<const std::uint8_t> query, std::size_t limit,
                 Question* question, std::uint8_t* out);
  std::vector<Endpoint> servers_for(const std::string& id) const;
  Fd upstream_socket(const ContainerResolver& container, const Endpoint& server, int type) const;
  ContainerResolver* find(const std::string& id) const;
  void forward_udp(ContainerResolver& container, const Endpoint& client,
                   std::span<const std::uint8_t> query, const Question& question);
  void add(std::unique_ptr<Handler> handler);
  void drop(Handler* handler);

 private:
  Reactor& reactor_;
  int home_;
  mutable HostServers host_servers_;
  NameTable table_;
  std::unordered_map<std::string, std::unique_ptr<ContainerResolver>> resolvers_;
  std::unordered_map<Handler*, std::unique_ptr<Handler>> others_;  // forwards and TCP clients
};

// A handler that may run out of time.
class Expiring : public Handler {
 public:
  std::int64_t deadline_ms = 0;
  virtual void on_expired() = 0;
  virtual const std::string& container() const = 0;
};

}  // namespace stack::netd
