// The messages between stackd and stack-netd on their unix socket (SOCK_SEQPACKET): one message is
// one packet, numbers in host byte order (both ends are of one machine), texts with a 32-bit
// length. A namespace descriptor may ride along.
//
//   request   op, sequence, body          reply   kReply, sequence, ok (8 bits), message
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "netd/names.h"
#include "netd/ports.h"

namespace stack::netd {

inline constexpr std::uint32_t kWireVersion = 1;
inline constexpr std::size_t kMaxWireMessage = 160 * 1024;  // below net.core.wmem_default

enum class WireOp : std::uint8_t {
  kHello = 1,  // version
  kSetContainer =
      2,  // ContainerNames; descriptor of its namespace, unless netd knows the container
  kRemoveContainer = 3,  // id
  kSetPublished = 4,     // id, ports
  kSettle = 5,           // forget containers not set on this connection
  kShutDown = 6,
  kReply = 7,
  kHandOver = 8,  // id that gives, id that takes, the ports of the latter
};

class WireWriter {
 public:
  WireWriter(WireOp op, std::uint32_t sequence) {
    u8(static_cast<std::uint8_t>(op));
    u32(sequence);
  }
  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u32(std::uint32_t v) { out_.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void text(std::string_view v) {
    u32(static_cast<std::uint32_t>(v.size()));
    out_.append(v);
  }
  void texts(const std::vector<std::string>& list) {
    u32(static_cast<std::uint32_t>(list.size()));
    for (const auto& t : list) text(t);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reading past the end yields zeros and empty texts, and ok() is false from then on.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  std::uint8_t u8() {
    std::uint8_t v = 0;
    fixed(&v, sizeof v);
    return v;
  }
  std::uint32_t u32() {
    std::uint32_t v = 0;
    fixed(&v, sizeof v);
    return v;
  }
  std::string text() {
    const std::uint32_t size = u32();
    if (size > rest_.size()) ok_ = false;
    if (!ok_) return "";
    std::string v(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return v;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> list;
    for (std::uint32_t n = u32(); n > 0 && ok_; --n) list.push_back(text());
    return list;
  }

 private:
  void fixed(void* v, std::size_t size) {
    if (size > rest_.size()) ok_ = false;
    if (!ok_) return;
    std::memcpy(v, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  std::string_view rest_;
  bool ok_ = true;
};

inline void write_names(WireWriter& w, const ContainerNames& c) {
  w.text(c.id);
  w.text(c.name);
  w.u8(c.internal_only ? 1 : 0);
  w.texts(c.upstream);
  w.u32(static_cast<std::uint32_t>(c.links.size()));
  for (const NameLink& link : c.links) {
    w.text(link.alias);
    w.text(link.target);
  }
  w.u32(static_cast<std::uint32_t>(c.endpoints.size()));
  for (const NameEndpoint& e : c.endpoints) {
    w.text(e.network_id);
    w.text(e.network_name);
    w.text(e.ipv4);
    w.text(e.ipv6);
    w.texts(e.names);
  }
}

inline ContainerNames read_names(WireReader& r) {
  ContainerNames c;
  c.id = r.text();
  c.name = r.text();
  c.internal_only = r.u8() != 0;
  c.upstream = r.texts();
  for (std::uint32_t n = r.u32(); n > 0 && r.ok(); --n) {
    NameLink link;
    link.alias = r.text();
    link.target = r.text();
    c.links.push_back(std::move(link));
  }
  for (std::uint32_t n = r.u32(); n > 0 && r.ok(); --n) {
    NameEndpoint e;
    e.network_id = r.text();
    e.network_name = r.text();
    e.ipv4 = r.text();
    e.ipv6 = r.text();
    e.names = r.texts();
    c.endpoints.push_back(std::move(e));
  }
  return c;
}

inline void write_ports(WireWriter& w, const std::vector<PublishedPort>& ports) {
  w.u32(static_cast<std::uint32_t>(ports.size()));
  for (const PublishedPort& p : ports) {
    w.text(p.host_ip);
    w.u32(static_cast<std::uint32_t>(p.host_port));
    w.u32(static_cast<std::uint32_t>(p.container_port));
    w.text(p.protocol);
    w.text(p.container_ipv4);
    w.text(p.container_ipv6);
  }
}

inline std::vector<PublishedPort> read_ports(WireReader& r) {
  std::vector<PublishedPort> ports;
  for (std::uint32_t n = r.u32(); n > 0 && r.ok(); --n) {
    PublishedPort p;
    p.host_ip = r.text();
    p.host_port = static_cast<int>(r.u32());
    p.container_port = static_cast<int>(r.u32());
    p.protocol = r.text();
    p.container_ipv4 = r.text();
    p.container_ipv6 = r.text();
    ports.push_back(std::move(p));
  }
  return ports;
}

}  // namespace stack::netd
