#include "netd/resolver.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "netd/endpoint.h"
#include "netd/forward.h"

namespace stack::netd {

namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr std::size_t kBatch = 16;       // datagrams a system call
constexpr int kBatchesPerRound = 4;      // then the other containers have their turn
constexpr std::size_t kMaxQuery = 2048;  // larger ones come over TCP
constexpr std::size_t kMaxUdpReply = 4096;
constexpr std::size_t kMaxServers = 3;  // as resolv.conf(5)

// Shared by all sockets: there is one thread and nothing is kept between calls.
std::uint8_t g_queries[kBatch][kMaxQuery];
std::uint8_t g_replies[kBatch][kMaxUdpReply];

std::string read_text(const std::string& path) {
  std::string out;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[4096];
  for (ssize_t n = 0;
       fd && (n = ::read(fd.get(), buffer, sizeof buffer)) > 0 && out.size() < 65536;) {
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}

}  // namespace

std::vector<Endpoint> HostServers::parse(const std::string& text) {
  std::vector<Endpoint> out;
  std::size_t at = 0;
  while (at < text.size() && out.size() < kMaxServers) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    constexpr std::string_view kKey = "nameserver";
    if (!line.starts_with(kKey)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", kKey.size());
    if (begin == kKey.size() || begin == std::string_view::npos) continue;
    const std::size_t stop = std::min(line.find_first_of(" \t\r#;", begin), line.size());
    if (const auto address = parse_address(line.substr(begin, stop - begin))) {
      out.push_back(make_endpoint(*address, kDnsPort));
    }
  }
  return out;
}

const std::vector<Endpoint>& HostServers::get(std::int64_t now_ms) {
  if (looked_ms_ >= 0 && now_ms - looked_ms_ < 1000) return servers_;
  looked_ms_ = now_ms;
  struct stat info {};
  const bool there = ::stat(path_.c_str(), &info) == 0;
  const std::int64_t changed =
      there ? info.st_ctim.tv_sec * 1000000000L + info.st_ctim.tv_nsec : -1;
  if (changed != seen_) {
    seen_ = changed;
    servers_ = there ? parse(read_text(path_)) : std::vector<Endpoint>();
  }
  return servers_;
}

ContainerResolver::~ContainerResolver() {
  resolver_.reactor().remove(udp_.get());
  resolver_.reactor().remove(tcp_.get());
}

bool ContainerResolver::listen(int home, int netns) {
  struct stat info {};
  if (::fstat(netns, &info) == 0) inode_ = info.st_ino;
  const Endpoint address = make_endpoint(*parse_address(kResolverAddress), kResolverPort);
  {
    const NamespaceVisit visit(home, netns);
    if (!visit.ok()) return false;
    udp_ = bound_socket(address, SOCK_DGRAM);
    if (udp_) tcp_ = bound_socket(address, SOCK_STREAM);
  }
  if (!udp_ || !tcp_) return false;
  return resolver_.reactor().add(udp_.get(), EPOLLIN, this) &&
         resolver_.reactor().add(tcp_.get(), EPOLLIN, this);
}

void ContainerResolver::on_event(int fd, std::uint32_t) {
  if (fd == udp_.get()) {
    serve_udp();
  } else {
    accept_tcp();
  }
}

void ContainerResolver::serve_udp() {
  mmsghdr in[kBatch];
  mmsghdr out[kBatch];
  iovec in_parts[kBatch];
  iovec out_parts[kBatch];
  Endpoint clients[kBatch];
  for (int round = 0; round < kBatchesPerRound; ++round) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      in_parts[i] = {g_queries[i], kMaxQuery};
      in[i] = {};
      in[i].msg_hdr.msg_name = &clients[i].storage;
      in[i].msg_hdr.msg_namelen = sizeof clients[i].storage;
      in[i].msg_hdr.msg_iov = &in_parts[i];
      in[i].msg_hdr.msg_iovlen = 1;
    }
    const int n = ::recvmmsg(udp_.get(), in, kBatch, MSG_DONTWAIT, nullptr);
    if (n <= 0) return;
    unsigned answers = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      clients[i].size = in[i].msg_hdr.msg_namelen;
      if ((in[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) continue;
      const std::span<const std::uint8_t> query(g_queries[i], in[i].msg_len);
      Question question;
      const Outcome outcome = resolver_.decide(id_, query, 0, &question, g_replies[answers]);
      if (outcome.forward) {
        resolver_.forward_udp(*this, clients[i], query, question);
      } else if (outcome.size > 0) {
        out_parts[answers] = {g_replies[answers], outcome.size};
        out[answers] = {};
        out[answers].msg_hdr.msg_name = &clients[i].storage;
        out[answers].msg_hdr.msg_namelen = clients[i].size;
        out[answers].msg_hdr.msg_iov = &out_parts[answers];
        out[answers].msg_hdr.msg_iovlen = 1;
        ++answers;
      }
    }
    // A client that does not read its answers loses them, as with any UDP server.
    for (unsigned sent = 0; sent < answers;) {
      const int m = ::sendmmsg(udp_.get(), out + sent, answers - sent, MSG_DONTWAIT);
      sent += m > 0 ? static_cast<unsigned>(m) : 1;
    }
    if (static_cast<std::size_t>(n) < kBatch) return;
  }
}

void ContainerResolver::reply_udp(const Endpoint& client, const std::uint8_t* data,
                                  std::size_t size) const {
  (void)::sendto(udp_.get(), data, size, MSG_DONTWAIT, client.get(), client.size);
}

void ContainerResolver::accept_tcp() {
  Fd client(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client || connections >= kMaxConnections) return;
  auto handler = std::make_unique<TcpClient>(resolver_, id_, std::move(client));
  if (handler->start()) resolver_.add(std::move(handler));
}

Resolver::Resolver(Reactor& reactor, int home_netns, std::string resolv_conf)
    : reactor_(reactor), home_(home_netns), host_servers_(std::move(resolv_conf)) {}

Resolver::~Resolver() {
  others_.clear();
  resolvers_.clear();
}

std::string Resolver::set(ContainerNames container, int netns) {
  const std::string id = container.id;
  const auto found = resolvers_.find(id);
  struct stat info {};
  const bool same =
      found != resolvers_.end() &&
      (netns < 0 || (::fstat(netns, &info) == 0 && info.st_ino == found->second->netns_inode()));
  if (!same) {
    if (netns < 0) return "the namespace of the container is not known";
    remove(id);
    auto fresh = std::make_unique<ContainerResolver>(*this, id);
    if (!fresh->listen(home_, netns))
      return std::string("listening on 127.0.0.11: ") + std::strerror(errno);
    resolvers_.emplace(id, std::move(fresh));
  }
  table_.set(std::move(container));
  return "";
}

void Resolver::remove(const std::string& id) {
  std::vector<Handler*> gone;
  for (const auto& [handler, owned] : others_) {
    if (static_cast<Expiring*>(handler)->container() == id) gone.push_back(handler);
  }
  for (Handler* handler : gone) drop(handler);
  const auto found = resolvers_.find(id);
  if (found != resolvers_.end()) {
    reactor_.remove(found->second->udp());
    resolvers_.erase(found);
  }
  table_.remove(id);
}

std::vector<std::string> Resolver::ids() const {
  std::vector<std::string> out;
  for (const auto& [id, owned] : resolvers_) out.push_back(id);
  return out;
}

ContainerResolver* Resolver::find(const std::string& id) const {
  const auto found = resolvers_.find(id);
  return found == resolvers_.end() ? nullptr : found->second.get();
}

Outcome Resolver::decide(const std::string& id, std::span<const std::uint8_t> query,
                         std::size_t limit, Question* question, std::uint8_t* out) {
  const ParseResult parsed = parse_question(query, question);
  if (limit == 0) limit = std::min<std::size_t>(question->udp_size, kMaxUdpReply);
  if (parsed == ParseResult::kIgnore) return {};
  if (parsed == ParseResult::kFormErr)
    return {false, write_error(query, nullptr, Rcode::kFormErr, limit, out)};
  if (parsed == ParseResult::kNotImp)
    return {false, write_error(query, nullptr, Rcode::kNotImp, limit, out)};
  constexpr std::uint16_t kClassIn = 1;
  Answer answer;
  if (question->qclass == kClassIn) {
    answer = table_.answer(question->name, question->type, id);
  } else if (const ContainerNames* asker = table_.find(id);
             asker == nullptr || asker->internal_only) {
    answer.kind = Answer::Kind::kServfail;
  }
  if (answer.kind == Answer::Kind::kForward) return {true, 0};
  if (answer.kind == Answer::Kind::kServfail) {
    return {false, write_error(query, question, Rcode::kServFail, limit, out)};
  }
  for (std::size_t i = answer.records.size(); i > 1; --i) {
    std::swap(answer.records[i - 1], answer.records[random16() % i]);
  }
  return {false, write_answer(query, *question, answer.records, limit, out)};
}

std::vector<Endpoint> Resolver::servers_for(const std::string& id) const {
  const ContainerNames* container = table_.find(id);
  if (container == nullptr || container->upstream.empty())
    return host_servers_.get(reactor_.now_ms());
  std::vector<Endpoint> out;
  for (const std::string& text : container->upstream) {
    if (const auto address = parse_address(text)) out.push_back(make_endpoint(*address, kDnsPort));
  }
  return out;
}

Fd Resolver::upstream_socket(const ContainerResolver& container, const Endpoint& server,
                             int type) const {
  const ContainerNames* names = table_.find(container.id());
  if (names == nullptr || names->upstream.empty()) return connected_socket(server, type);
  const Fd netns = namespace_of_socket(container.udp());
  if (!netns) return {};
  const NamespaceVisit visit(home_, netns.get());
  if (!visit.ok()) return {};
  return connected_socket(server, type);
}

void Resolver::forward_udp(ContainerResolver& container, const Endpoint& client,
                           std::span<const std::uint8_t> query, const Question& question) {
  if (container.forwards >= kMaxForwards) {
    std::uint8_t out[kDnsMinUdp];
    container.reply_udp(client, out,
                        write_error(query, &question, Rcode::kServFail, sizeof out, out));
    return;
  }
  auto forward = std::make_unique<UdpForward>(*this, container.id(), client, query, question);
  UdpForward* started = forward.get();
  add(std::move(forward));
  started->start();
}

void Resolver::add(std::unique_ptr<Handler> handler) {
  Handler* key = handler.get();
  others_.emplace(key, std::move(handler));
  reactor_.wake_ticks();
}

void Resolver::drop(Handler* handler) {
  const auto found = others_.find(handler);
  if (found == others_.end()) return;
  reactor_.bury(std::move(found->second));
  others_.erase(found);
}

bool Resolver::tick(std::int64_t now_ms) {
  std::vector<Expiring*> expired;
  for (const auto& [handler, owned] : others_) {
    auto* e = static_cast<Expiring*>(handler);
    if (now_ms >= e->deadline_ms) expired.push_back(e);
  }
  for (Expiring* e : expired) e->on_expired();
  return !others_.empty();
}

}  // namespace stack::netd
