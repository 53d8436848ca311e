// Netlink messages and sockets (netlink(7), rtnetlink(7)), the only transport of this folder's
// kernel work, on libnl: one batch is one sendmsg(2), with an acknowledgement of its last message
// only, where libnl alone would send and wait message by message.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

struct nl_msg;
struct nl_sock;

namespace stack::netd {

struct NetlinkFree {
  void operator()(nl_msg* message) const;
  void operator()(nl_sock* socket) const;
};

// Consecutive messages in one buffer. Sequence numbers count from 1 in the order of begin() and
// add().
class NetlinkBatch {
 public:
  template <typename Header>
  void begin(std::uint16_t type, std::uint16_t flags, const Header& header) {
    begin_raw(type, flags);
    append(&header, sizeof header);
  }
  void end();
  // A whole message made by libnl or libnl-route; takes it over.
  void add(nl_msg* message);

  void put(std::uint16_t type, const void* data, std::size_t size);
  void put(std::uint16_t type, std::string_view text);           // no terminator
  void put_string(std::uint16_t type, const std::string& text);  // with terminator
  void put_flag(std::uint16_t type) { put(type, nullptr, 0); }
  void put_u8(std::uint16_t type, std::uint8_t v) { put(type, &v, sizeof v); }
  void put_u16(std::uint16_t type, std::uint16_t v) { put(type, &v, sizeof v); }
  void put_u32(std::uint16_t type, std::uint32_t v) { put(type, &v, sizeof v); }
  void put_be16(std::uint16_t type, std::uint16_t v);
  void put_be32(std::uint16_t type, std::uint32_t v);
  void put_be64(std::uint16_t type, std::uint64_t v);
  void append(const void* data, std::size_t size);  // a fixed header inside a nest, padded to 4

  // Nests may be left open across other put() calls; close with the value that open returned.
  std::size_t open(std::uint16_t type);
  void close(std::size_t nest);

  // The finished messages.
  std::span<const char> bytes() const { return {finished_.data(), finished_.size()}; }
  std::uint32_t count() const { return sequence_; }
  bool empty() const { return finished_.empty(); }
  void request_ack_of_last();
  std::uint16_t type_of(std::uint32_t sequence) const;

 private:
  void begin_raw(std::uint16_t type, std::uint16_t flags);
  void reserve(std::size_t size);

  std::unique_ptr<nl_msg, NetlinkFree> message_;  // under construction
  std::vector<char> finished_;
  std::size_t last_ = 0;  // offset in finished_ of the last message
  std::uint32_t sequence_ = 0;
};

// What went wrong with a batch: the first failing message.
struct BatchFailure {
  std::uint32_t sequence = 0;  // of the message, from 1; 0: the batch as a whole
  int error = 0;               // errno(3); 0: no failure
};

class NetlinkSocket {
 public:
  // In the calling thread's network namespace.
  static Result<NetlinkSocket> open_route();      // NETLINK_ROUTE
  static Result<NetlinkSocket> open_netfilter();  // NETLINK_NETFILTER
  int fd() const;

  // Sends and collects the outcome. The kernel works synchronously inside sendmsg(2). An Error is a
  // transport failure.
  Result<BatchFailure> run(NetlinkBatch& batch);
  // The same, with a failure turned into an Error.
  Status transact(NetlinkBatch& batch, const std::string& what);
  // Sends the one request of `batch` (without NLM_F_ACK) and calls back for each answer until the
  // end. Returns errno of the request, 0 when fine.
  Result<int> request(NetlinkBatch& batch, const std::function<void(const nlmsghdr&)>& each);

 private:
  explicit NetlinkSocket(std::unique_ptr<nl_sock, NetlinkFree> socket)
      : socket_(std::move(socket)) {}
  static Result<NetlinkSocket> open(int protocol);
  Status send(const NetlinkBatch& batch);
  std::unique_ptr<nl_sock, NetlinkFree> socket_;
};

// This thread's socket to NETLINK_NETFILTER in the namespace that it is in, for one piece of work.
// It stays open: close(2) of such a socket waits for a grace period of RCU, ten milliseconds and
// more, while anything that was deleted from nf_tables is not freed (nft_rcv_nl_event()).
Result<NetlinkSocket*> netfilter_socket();

// Attributes of a received message, by type (the nested and byte-order bits are cut off).
struct Attribute {
  const char* data = nullptr;
  std::size_t size = 0;
  explicit operator bool() const { return data != nullptr; }
  std::uint32_t u32() const;
  std::uint32_t be32() const;
  std::string text() const;  // up to the terminator
};
Attribute find_attribute(const char* data, std::size_t size, std::uint16_t type);
inline Attribute find_attribute(const Attribute& nest, std::uint16_t type) {
  return find_attribute(nest.data, nest.size, type);
}
template <typename Header>
Attribute find_attribute(const nlmsghdr& message, std::uint16_t type) {
  const std::size_t offset = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(Header));
  if (message.nlmsg_len < offset) return {};
  return find_attribute(reinterpret_cast<const char*>(&message) + offset,
                        message.nlmsg_len - offset, type);
}
void for_each_attribute(const Attribute& nest,
                        const std::function<void(std::uint16_t, const Attribute&)>& each);

}  // namespace stack::netd
