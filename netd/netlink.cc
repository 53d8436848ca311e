#include "netd/netlink.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cerrno>

namespace stack::netd {

namespace {
constexpr std::size_t kReceiveSize = 64 * 1024;
}

void NetlinkBatch::begin_raw(std::uint16_t type, std::uint16_t flags) {
  message_ = buffer_.size();
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  header.nlmsg_seq = ++sequence_;
  append(&header, sizeof header);
}

void NetlinkBatch::end() {
  const auto length = static_cast<std::uint32_t>(buffer_.size() - message_);
  std::memcpy(buffer_.data() + message_, &length, sizeof length);  // nlmsg_len is the first field
}

void NetlinkBatch::append(const void* data, std::size_t size) {
  const std::size_t at = buffer_.size();
  buffer_.resize(at + NLMSG_ALIGN(size));
  if (size > 0) std::memcpy(buffer_.data() + at, data, size);
}

void NetlinkBatch::put(std::uint16_t type, const void* data, std::size_t size) {
  nlattr header{};
  header.nla_len = static_cast<std::uint16_t>(sizeof header + size);
  header.nla_type = type;
  append(&header, sizeof header);
  append(data, size);
}

void NetlinkBatch::put(std::uint16_t type, std::string_view text) {
  put(type, text.data(), text.size());
}
void NetlinkBatch::put_string(std::uint16_t type, const std::string& text) {
  put(type, text.c_str(), text.size() + 1);
}
void NetlinkBatch::put_be16(std::uint16_t type, std::uint16_t v) { put_u16(type, htons(v)); }
void NetlinkBatch::put_be32(std::uint16_t type, std::uint32_t v) { put_u32(type, htonl(v)); }
void NetlinkBatch::put_be64(std::uint16_t type, std::uint64_t v) {
  v = __builtin_bswap64(v);
  put(type, &v, sizeof v);
}

std::size_t NetlinkBatch::open(std::uint16_t type) {
  const std::size_t at = buffer_.size();
  put(static_cast<std::uint16_t>(type | NLA_F_NESTED), nullptr, 0);
  return at;
}

void NetlinkBatch::close(std::size_t nest) {
  const auto length = static_cast<std::uint16_t>(buffer_.size() - nest);
  std::memcpy(buffer_.data() + nest, &length, sizeof length);  // nla_len is the first field
}

void NetlinkBatch::request_ack_of_last() {
  if (sequence_ == 0) return;
  nlmsghdr header;
  std::memcpy(&header, buffer_.data() + message_, sizeof header);
  header.nlmsg_flags |= NLM_F_ACK;
  std::memcpy(buffer_.data() + message_, &header, sizeof header);
}

std::uint16_t NetlinkBatch::type_of(std::uint32_t sequence) const {
  std::size_t at = 0;
  while (at + sizeof(nlmsghdr) <= buffer_.size()) {
    nlmsghdr header;
    std::memcpy(&header, buffer_.data() + at, sizeof header);
    if (header.nlmsg_seq == sequence) return header.nlmsg_type;
    if (header.nlmsg_len < sizeof header) break;
    at += NLMSG_ALIGN(header.nlmsg_len);
  }
  return 0;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return Error::os(errno, "opening a netlink socket");
  const int on = 1;
  // Errors come back without a copy of the message that caused them, so a large batch cannot
  // overrun the receive buffer.
  (void)::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  const int size = 4 << 20;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size,
                     sizeof size);  // privileged; the default also serves
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  return NetlinkSocket(std::move(fd));
}

Result<NetlinkSocket> NetlinkSocket::open_route() { return open(NETLINK_ROUTE); }
Result<NetlinkSocket> NetlinkSocket::open_netfilter() { return open(NETLINK_NETFILTER); }

Status NetlinkSocket::send(const NetlinkBatch& batch) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const auto bytes = batch.bytes();
  for (;;) {
    const ssize_t n = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    if (n >= 0) return ok_status();
    if (errno != EINTR) return Error::os(errno, "sending a netlink message");
  }
}

Result<BatchFailure> NetlinkSocket::run(NetlinkBatch& batch) {
  BatchFailure failure;
  if (batch.empty()) return failure;
  TRY(send(batch));
  std::vector<char> buffer(kReceiveSize);
  bool overrun = false;
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) {
        overrun = true;
        continue;
      }
      if (errno == EAGAIN) break;
      return Error::os(errno, "receiving a netlink message");
    }
    auto left = static_cast<std::size_t>(n);
    for (const char* at = buffer.data(); left >= sizeof(nlmsghdr);) {
      nlmsghdr header;
      std::memcpy(&header, at, sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > left) break;
      if (header.nlmsg_type == NLMSG_ERROR && header.nlmsg_len >= NLMSG_LENGTH(sizeof(int))) {
        int error = 0;
        std::memcpy(&error, at + NLMSG_HDRLEN, sizeof error);
        if (error != 0 && failure.error == 0) failure = {header.nlmsg_seq, -error};
      }
      const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), left);
      at += step;
      left -= step;
    }
  }
  if (overrun && failure.error == 0) failure.error = ENOBUFS;
  return failure;
}

Status NetlinkSocket::transact(NetlinkBatch& batch, const std::string& what) {
  const BatchFailure failure = TRY_WHILE(run(batch), what);
  if (failure.error != 0) return Error::os(failure.error, what);
  return ok_status();
}

Result<int> NetlinkSocket::request(NetlinkBatch& batch,
                                   const std::function<void(const nlmsghdr&)>& each) {
  TRY(send(batch));
  std::vector<char> buffer(kReceiveSize);
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      return Error::os(errno, "receiving a netlink message");
    }
    auto left = static_cast<std::size_t>(n);
    for (char* at = buffer.data(); left >= sizeof(nlmsghdr);) {
      const auto* header = reinterpret_cast<const nlmsghdr*>(at);
      if (header->nlmsg_len < sizeof *header || header->nlmsg_len > left) break;
      if (header->nlmsg_type == NLMSG_DONE) return 0;
      if (header->nlmsg_type == NLMSG_ERROR) {
        int error = 0;
        std::memcpy(&error, at + NLMSG_HDRLEN, sizeof error);
        return -error;
      }
      each(*header);
      if ((header->nlmsg_flags & NLM_F_MULTI) == 0) return 0;
      const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(header->nlmsg_len), left);
      at += step;
      left -= step;
    }
  }
}

std::uint32_t Attribute::u32() const {
  std::uint32_t v = 0;
  if (size >= sizeof v) std::memcpy(&v, data, sizeof v);
  return v;
}
std::uint32_t Attribute::be32() const { return ntohl(u32()); }
std::string Attribute::text() const {
  return std::string(data, data != nullptr ? ::strnlen(data, size) : 0);
}

void for_each_attribute(const Attribute& nest,
                        const std::function<void(std::uint16_t, const Attribute&)>& each) {
  const char* at = nest.data;
  std::size_t left = nest.size;
  while (left >= sizeof(nlattr)) {
    nlattr header;
    std::memcpy(&header, at, sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > left) return;
    each(static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
         Attribute{at + sizeof header, header.nla_len - sizeof header});
    const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(header.nla_len), left);
    at += step;
    left -= step;
  }
}

Attribute find_attribute(const char* data, std::size_t size, std::uint16_t type) {
  Attribute found;
  for_each_attribute(Attribute{data, size}, [&](std::uint16_t t, const Attribute& a) {
    if (t == type && !found) found = a;
  });
  return found;
}

}  // namespace stack::netd
