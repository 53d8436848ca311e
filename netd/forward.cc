#include "netd/forward.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stack::netd {

namespace {

constexpr std::size_t kMaxUdpReply = 65535;
constexpr std::size_t kMaxBacklog = 256 * 1024;  // answers a TCP client has not read yet

std::vector<std::uint8_t> with_random_id(const std::vector<std::uint8_t>& query) {
  std::vector<std::uint8_t> out = query;
  const std::uint16_t id = random16();
  std::memcpy(out.data(), &id, sizeof id);
  return out;
}

void append_framed(std::string& out, std::span<const std::uint8_t> message) {
  out.push_back(static_cast<char>(message.size() >> 8U));
  out.push_back(static_cast<char>(message.size()));
  out.append(reinterpret_cast<const char*>(message.data()), message.size());
}

// The first whole message in a TCP stream; empty when it is not complete yet.
std::span<const std::uint8_t> framed(const std::string& in) {
  if (in.size() < 2) return {};
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(in.data());
  const std::size_t size = std::size_t{bytes[0]} << 8U | bytes[1];
  if (in.size() < 2 + size) return {};
  return {bytes + 2, size};
}

// Reads what is there. False at the end of the stream or on an error.
bool drain(int fd, std::string& in, std::size_t limit) {
  char buffer[4096];
  while (in.size() < limit) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) {
      in.append(buffer, static_cast<std::size_t>(n));
      continue;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
  }
  return true;
}

bool flush(int fd, std::string& out) {
  while (!out.empty()) {
    const ssize_t n = ::send(fd, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    out.erase(0, static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

UdpForward::UdpForward(Resolver& resolver, std::string id, const Endpoint& client,
                       std::span<const std::uint8_t> query, const Question& question)
    : resolver_(resolver),
      id_(std::move(id)),
      client_(client),
      query_(query.begin(), query.end()),
      question_(question),
      servers_(resolver.servers_for(id_)) {
  if (auto* c = resolver_.find(id_)) ++c->forwards;
}

UdpForward::~UdpForward() {
  resolver_.reactor().remove(socket_.get());
  if (auto* c = resolver_.find(id_); c != nullptr && c->forwards > 0) --c->forwards;
}

void UdpForward::start() { try_next(); }

void UdpForward::try_next() {
  const ContainerResolver* container = resolver_.find(id_);
  while (container != nullptr && next_ < servers_.size()) {
    const Endpoint& server = servers_[next_++];
    resolver_.reactor().remove(socket_.get());
    socket_ = resolver_.upstream_socket(*container, server, SOCK_DGRAM);
    if (!socket_) continue;
    sent_ = with_random_id(query_);
    if (::send(socket_.get(), sent_.data(), sent_.size(), MSG_DONTWAIT) < 0) continue;
    if (!resolver_.reactor().add(socket_.get(), EPOLLIN, this)) continue;
    deadline_ms = resolver_.reactor().now_ms() + kServerTimeoutMs;
    return;
  }
  finish({});
}

void UdpForward::on_event(int fd, std::uint32_t) {
  static std::uint8_t buffer[kMaxUdpReply];
  const ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0) {
    // ECONNREFUSED: nobody listens there. Do not wait for the time-out.
    if (errno != EAGAIN && errno != EINTR) try_next();
    return;
  }
  const std::span<const std::uint8_t> reply(buffer, static_cast<std::size_t>(n));
  if (!answers_query(reply, sent_)) return;  // forged or late: go on waiting
  const auto rcode = static_cast<Rcode>(reply[3] & 0xfU);
  if ((rcode == Rcode::kServFail || rcode == Rcode::kRefused) && next_ < servers_.size()) {
    try_next();
    return;
  }
  finish(reply);
}

void UdpForward::finish(std::span<const std::uint8_t> reply) {
  static std::uint8_t out[kMaxUdpReply];
  if (const ContainerResolver* container = resolver_.find(id_)) {
    std::size_t size = 0;
    if (reply.empty()) {
      size = write_error(query_, &question_, Rcode::kServFail, kDnsMinUdp, out);
    } else {
      size = truncate_reply(reply, question_.udp_size, out);
      std::memcpy(out, query_.data(), 2);
    }
    container->reply_udp(client_, out, size);
  }
  resolver_.drop(this);
}

TcpClient::TcpClient(Resolver& resolver, std::string id, Fd socket)
    : resolver_(resolver), id_(std::move(id)), client_(std::move(socket)) {
  if (auto* c = resolver_.find(id_)) ++c->connections;
}

TcpClient::~TcpClient() {
  resolver_.reactor().remove(client_.get());
  resolver_.reactor().remove(upstream_.get());
  if (auto* c = resolver_.find(id_); c != nullptr && c->connections > 0) --c->connections;
}

bool TcpClient::start() {
  deadline_ms = resolver_.reactor().now_ms() + kIdleMs;
  return resolver_.reactor().add(client_.get(), EPOLLIN, this);
}

void TcpClient::on_event(int fd, std::uint32_t events) {
  if (fd == client_.get()) {
    on_client(events);
  } else {
    on_upstream(events);
  }
}

void TcpClient::on_expired() {
  if (upstream_) {
    connect_next();
  } else {
    close();
  }
}

void TcpClient::watch_client() {
  // While a question is under way, further ones wait in the kernel.
  const bool reads = !client_done_ && !upstream_;
  resolver_.reactor().modify(client_.get(),
                             (reads ? EPOLLIN : 0U) | (out_.empty() ? 0U : EPOLLOUT));
}

bool TcpClient::flush_client() {
  if (flush(client_.get(), out_) && out_.size() < kMaxBacklog) return true;
  close();
  return false;
}

void TcpClient::on_client(std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    close();
    return;
  }
  if (!flush_client()) return;
  if ((events & EPOLLIN) != 0 && !upstream_) {
    if (!drain(client_.get(), in_, 2 + kDnsMaxMessage)) client_done_ = true;
    deadline_ms = resolver_.reactor().now_ms() + kIdleMs;
    handle_input();
    return;
  }
  if (client_done_ && out_.empty() && !upstream_) {
    close();
    return;
  }
  watch_client();
}

void TcpClient::handle_input() {
  static std::uint8_t out[kDnsMaxMessage];
  handling_ = true;
  while (!upstream_ && out_.size() < kMaxBacklog) {
    const std::span<const std::uint8_t> message = framed(in_);
    if (message.empty()) break;
    query_.assign(message.begin(), message.end());
    in_.erase(0, 2 + message.size());
    const Outcome outcome = resolver_.decide(id_, query_, sizeof out, &question_, out);
    if (outcome.forward) {
      servers_ = resolver_.servers_for(id_);
      next_ = 0;
      connect_next();
    } else if (outcome.size > 0) {
      append_framed(out_, {out, outcome.size});
    }
  }
  handling_ = false;
  if (in_.size() >= 2 && in_[0] == 0 && in_[1] == 0)
    client_done_ = true;  // a message of no bytes: not DNS
  if (!flush_client()) return;
  if (client_done_ && out_.empty() && !upstream_) {
    close();
    return;
  }
  watch_client();
}

void TcpClient::connect_next() {
  const ContainerResolver* container = resolver_.find(id_);
  resolver_.reactor().remove(upstream_.get());
  upstream_.reset();
  while (container != nullptr && next_ < servers_.size()) {
    const Endpoint& server = servers_[next_++];
    Fd socket = resolver_.upstream_socket(*container, server, SOCK_STREAM);
    if (!socket || !resolver_.reactor().add(socket.get(), EPOLLIN | EPOLLOUT, this)) continue;
    upstream_ = std::move(socket);
    sent_ = with_random_id(query_);
    upstream_out_.clear();
    upstream_in_.clear();
    append_framed(upstream_out_, sent_);
    deadline_ms = resolver_.reactor().now_ms() + kServerTimeoutMs;
    return;
  }
  fail_question();
}

void TcpClient::fail_question() {
  std::uint8_t out[kDnsMinUdp];
  answer({out, write_error(query_, &question_, Rcode::kServFail, sizeof out, out)});
}

void TcpClient::answer(std::span<const std::uint8_t> message) {
  resolver_.reactor().remove(upstream_.get());
  upstream_.reset();
  append_framed(out_, message);
  deadline_ms = resolver_.reactor().now_ms() + kIdleMs;
  if (handling_ || !flush_client()) return;
  if (!in_.empty() || client_done_) {
    handle_input();
  } else {
    watch_client();
  }
}

void TcpClient::on_upstream(std::uint32_t events) {
  if ((events & EPOLLERR) != 0 || !flush(upstream_.get(), upstream_out_)) {
    connect_next();
    return;
  }
  if (upstream_out_.empty()) resolver_.reactor().modify(upstream_.get(), EPOLLIN);
  if ((events & (EPOLLIN | EPOLLHUP)) == 0) return;
  const bool open = drain(upstream_.get(), upstream_in_, 2 + kDnsMaxMessage);
  const std::span<const std::uint8_t> message = framed(upstream_in_);
  if (!message.empty() && answers_query(message, sent_)) {
    std::vector<std::uint8_t> reply(message.begin(), message.end());
    std::memcpy(reply.data(), query_.data(), 2);
    answer(reply);
  } else if (!open || !message.empty()) {
    connect_next();
  }
}

void TcpClient::close() {
  if (!buried) resolver_.drop(this);
}

}  // namespace stack::netd
