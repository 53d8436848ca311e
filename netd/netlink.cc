#include "netd/netlink.h"

#include <arpa/inet.h>
#include <netlink/attr.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>

namespace stack::netd {

namespace {

constexpr std::size_t kMessageSize = 4 * 1024;  // of a new message; grows as needed
constexpr std::size_t kReceiveSize = 64 * 1024;
constexpr int kSocketBuffer = 4 << 20;

struct CallbacksFree {
  void operator()(nl_cb* callbacks) const { ::nl_cb_put(callbacks); }
};
using Callbacks = std::unique_ptr<nl_cb, CallbacksFree>;

// The messages of a batch carry their place in it, not the socket's own numbers.
Callbacks make_callbacks() {
  Callbacks callbacks(::nl_cb_alloc(NL_CB_CUSTOM));
  if (!callbacks) throw std::bad_alloc();
  ::nl_cb_set(
      callbacks.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM, [](nl_msg*, void*) -> int { return NL_OK; },
      nullptr);
  return callbacks;
}

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) > 0;
}

void must(int libnl_result) {
  if (libnl_result < 0) throw std::bad_alloc();  // the only way in which building a message fails
}

}  // namespace

void NetlinkFree::operator()(nl_msg* message) const { ::nlmsg_free(message); }
void NetlinkFree::operator()(nl_sock* socket) const { ::nl_socket_free(socket); }

void NetlinkBatch::begin_raw(std::uint16_t type, std::uint16_t flags) {
  message_.reset(::nlmsg_alloc_size(kMessageSize));
  if (!message_) throw std::bad_alloc();
  (void)::nlmsg_put(message_.get(), 0, 0, type, 0, flags | NLM_F_REQUEST);
}

void NetlinkBatch::end() { add(message_.release()); }

void NetlinkBatch::add(nl_msg* message) {
  const std::unique_ptr<nl_msg, NetlinkFree> owned(message);
  nlmsghdr* header = ::nlmsg_hdr(message);
  header->nlmsg_seq = ++sequence_;
  header->nlmsg_flags |= NLM_F_REQUEST;
  last_ = finished_.size();
  const auto* bytes = reinterpret_cast<const char*>(header);
  finished_.insert(finished_.end(), bytes, bytes + header->nlmsg_len);
  finished_.resize(NLMSG_ALIGN(finished_.size()));
}

// libnl's messages have a fixed size; an element list of nf_tables may be of any.
void NetlinkBatch::reserve(std::size_t size) {
  const std::size_t needed = ::nlmsg_hdr(message_.get())->nlmsg_len + NLMSG_ALIGN(size);
  const std::size_t have = ::nlmsg_get_max_size(message_.get());
  if (needed > have) must(::nlmsg_expand(message_.get(), std::max(needed, 2 * have)));
}

void NetlinkBatch::append(const void* data, std::size_t size) {
  reserve(size);
  must(::nlmsg_append(message_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO));
}

void NetlinkBatch::put(std::uint16_t type, const void* data, std::size_t size) {
  reserve(NLA_HDRLEN + size);
  must(::nla_put(message_.get(), type, static_cast<int>(size), data));
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

// An offset, since a message that grows may move.
std::size_t NetlinkBatch::open(std::uint16_t type) {
  const std::size_t at = ::nlmsg_hdr(message_.get())->nlmsg_len;
  put_flag(static_cast<std::uint16_t>(type | NLA_F_NESTED));
  return at;
}

void NetlinkBatch::close(std::size_t nest) {
  char* start = reinterpret_cast<char*>(::nlmsg_hdr(message_.get())) + nest;
  must(::nla_nest_end_keep_empty(message_.get(), reinterpret_cast<nlattr*>(start)));
}

void NetlinkBatch::request_ack_of_last() {
  if (sequence_ == 0) return;
  nlmsghdr header;
  std::memcpy(&header, finished_.data() + last_, sizeof header);
  header.nlmsg_flags |= NLM_F_ACK;
  std::memcpy(finished_.data() + last_, &header, sizeof header);
}

std::uint16_t NetlinkBatch::type_of(std::uint32_t sequence) const {
  auto left = static_cast<int>(finished_.size());
  auto* header = reinterpret_cast<nlmsghdr*>(const_cast<char*>(finished_.data()));
  for (; ::nlmsg_ok(header, left) != 0; header = ::nlmsg_next(header, &left)) {
    if (header->nlmsg_seq == sequence) return header->nlmsg_type;
  }
  return 0;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  std::unique_ptr<nl_sock, NetlinkFree> socket(::nl_socket_alloc());
  if (!socket) throw std::bad_alloc();
  if (::nl_connect(socket.get(), protocol) < 0) {
    return Error::os(errno, "opening a netlink socket");
  }
  must(::nl_socket_set_msg_buf_size(socket.get(), kReceiveSize));
  const int fd = ::nl_socket_get_fd(socket.get());
  const int on = 1;
  // Errors come back without a copy of the message that caused them, so a large batch cannot
  // overrun the receive buffer.
  (void)::setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  // Privileged, beyond the limit that libnl's own call is held to; the default also serves.
  (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer);
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer);
  return NetlinkSocket(std::move(socket));
}

Result<NetlinkSocket> NetlinkSocket::open_route() { return open(NETLINK_ROUTE); }
Result<NetlinkSocket> NetlinkSocket::open_netfilter() { return open(NETLINK_NETFILTER); }

Result<NetlinkSocket*> netfilter_socket() {
  struct Kept {
    ino_t network_namespace = 0;
    std::optional<NetlinkSocket> socket;
  };
  thread_local Kept kept;
  struct stat here {};
  if (::stat("/proc/thread-self/ns/net", &here) != 0)
    return Error::os(errno, "/proc/thread-self/ns/net");
  // Something to read is left of work that failed half-way.
  if (kept.network_namespace != here.st_ino || readable(kept.socket->fd())) {
    kept.socket.reset();
    kept.network_namespace = 0;
    kept.socket = TRY(NetlinkSocket::open_netfilter());
    kept.network_namespace = here.st_ino;
  }
  return &*kept.socket;
}

int NetlinkSocket::fd() const { return ::nl_socket_get_fd(socket_.get()); }

Status NetlinkSocket::send(const NetlinkBatch& batch) {
  const auto bytes = batch.bytes();
  const int sent = ::nl_sendto(socket_.get(), const_cast<char*>(bytes.data()), bytes.size());
  if (sent < 0) return Error::os(errno, "sending a netlink message");
  return ok_status();
}

Result<BatchFailure> NetlinkSocket::run(NetlinkBatch& batch) {
  BatchFailure failure;
  if (batch.empty()) return failure;
  TRY(send(batch));
  const Callbacks callbacks = make_callbacks();
  ::nl_cb_err(
      callbacks.get(), NL_CB_CUSTOM,
      [](sockaddr_nl*, nlmsgerr* answer, void* context) -> int {
        auto& first = *static_cast<BatchFailure*>(context);
        if (first.error == 0) first = {answer->msg.nlmsg_seq, -answer->error};
        return NL_SKIP;
      },
      &failure);
  bool overrun = false;
  while (readable(fd())) {
    const int n = ::nl_recvmsgs(socket_.get(), callbacks.get());
    if (n == -NLE_NOMEM) overrun = true;  // ENOBUFS in libnl's numbers
    if (n < 0 && n != -NLE_NOMEM) return Error::os(errno, "receiving a netlink message");
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
  const Callbacks callbacks = make_callbacks();
  int failure = 0;
  ::nl_cb_err(
      callbacks.get(), NL_CB_CUSTOM,
      [](sockaddr_nl*, nlmsgerr* answer, void* context) -> int {
        *static_cast<int*>(context) = -answer->error;
        return NL_SKIP;
      },
      &failure);
  ::nl_cb_set(
      callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM,
      [](nl_msg* message, void* context) -> int {
        (*static_cast<const std::function<void(const nlmsghdr&)>*>(context))(*::nlmsg_hdr(message));
        return NL_OK;
      },
      const_cast<std::function<void(const nlmsghdr&)>*>(&each));
  const int n = ::nl_recvmsgs(socket_.get(), callbacks.get());
  // A list that changed while it was read is as good as one that changes right after.
  if (n < 0 && n != -NLE_DUMP_INTR) return Error::os(errno, "receiving a netlink message");
  return failure;
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

namespace {
const nlattr* attributes(const Attribute& nest) {
  return reinterpret_cast<const nlattr*>(nest.data);
}
Attribute attribute(const nlattr* found) {
  if (found == nullptr) return {};
  return {static_cast<const char*>(::nla_data(found)), static_cast<std::size_t>(::nla_len(found))};
}
}  // namespace

void for_each_attribute(const Attribute& nest,
                        const std::function<void(std::uint16_t, const Attribute&)>& each) {
  auto left = static_cast<int>(nest.size);
  for (const nlattr* at = attributes(nest); ::nla_ok(at, left) != 0; at = ::nla_next(at, &left)) {
    each(static_cast<std::uint16_t>(::nla_type(at)), attribute(at));
  }
}

Attribute find_attribute(const char* data, std::size_t size, std::uint16_t type) {
  return attribute(::nla_find(attributes({data, size}), static_cast<int>(size), type));
}

}  // namespace stack::netd
