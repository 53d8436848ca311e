// Questions on their way to an upstream server, and TCP clients.
#pragma once

#include <string>
#include <vector>

#include "netd/resolver.h"

namespace stack::netd {

inline constexpr int kMaxForwards =
    128;  // of one container at a time: the others keep their share (quota)
inline constexpr int kMaxConnections = 32;  // TCP clients of one container
inline constexpr std::int64_t kServerTimeoutMs = 2000;
inline constexpr std::int64_t kIdleMs = 10000;

// One question sent over UDP on a socket of its own: random port and id, and the kernel drops
// packets from anybody but the server asked (connect(2)).
class UdpForward final : public Expiring {
 public:
  UdpForward(Resolver& resolver, std::string id, const Endpoint& client,
             std::span<const std::uint8_t> query, const Question& question);
  ~UdpForward() override;
  void start();
  void on_event(int fd, std::uint32_t events) override;
  void on_expired() override { try_next(); }
  const std::string& container() const override { return id_; }

 private:
  void try_next();
  void finish(std::span<const std::uint8_t> reply);  // empty: SERVFAIL
  Resolver& resolver_;
  std::string id_;
  Endpoint client_;
  std::vector<std::uint8_t> query_;  // as the container sent it
  std::vector<std::uint8_t> sent_;
  Question question_;
  std::vector<Endpoint> servers_;
  std::size_t next_ = 0;
  Fd socket_;
};

// A container's TCP connection: questions one after another; each forwarded one gets an upstream
// connection of its own.
class TcpClient final : public Expiring {
 public:
  TcpClient(Resolver& resolver, std::string id, Fd socket);
  ~TcpClient() override;
  bool start();
  void on_event(int fd, std::uint32_t events) override;
  void on_expired() override;
  const std::string& container() const override { return id_; }

 private:
  void on_client(std::uint32_t events);
  void on_upstream(std::uint32_t events);
  void handle_input();
  void connect_next();
  void answer(std::span<const std::uint8_t> message);
  void fail_question();
  bool flush_client();
  void watch_client();
  void close();

  Resolver& resolver_;
  std::string id_;
  Fd client_;
  Fd upstream_;
  std::string in_;
  std::string out_;
  bool client_done_ = false;
  bool handling_ = false;  // handle_input() is on the stack
  // The question being forwarded.
  std::vector<std::uint8_t> query_;
  std::vector<std::uint8_t> sent_;
  Question question_;
  std::vector<Endpoint> servers_;
  std::size_t next_ = 0;
  std::string upstream_out_;
  std::string upstream_in_;
};

}  // namespace stack::netd
