// Who may resolve what: the decision part of the resolver at 127.0.0.11, without sockets. A
// container sees the names on the networks it is attached to, and its own links. The table of
// rules:
//
//   A, AAAA of a known name     its addresses on the first network (in the asker's endpoint order)
//                               that knows the name
//   A/AAAA, wrong family; MX    no error, no records
//   PTR of a peer's address     "container-name.network-name"
//   TXT SRV ANY SOA CNAME ...   forwarded, known name or not
//   unknown name                forwarded; refused (SERVFAIL) when the container is on internal
//                               networks only
//
// Known names of an endpoint: service, aliases, container name, 12-digit id, host name, and each of
// them followed by ".<network name>". Case does not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stack::netd {

struct NameEndpoint {
  std::string network_id;
  std::string network_name;  // the full one, "proj_default"
  std::string ipv4;          // without prefix length; empty: none
  std::string ipv6;
  std::vector<std::string> names;  // service, container name, short id, aliases, host name

  bool operator==(const NameEndpoint&) const = default;
};

// `alias` resolves, for the container that has the link only, to the addresses of `target` on
// shared networks: a container id or any name known there, looked up at each question, so it
// follows a replaced container.
struct NameLink {
  std::string alias;
  std::string target;

  bool operator==(const NameLink&) const = default;
};

struct ContainerNames {
  std::string id;
  std::string name;                     // container name, for PTR
  std::vector<NameEndpoint> endpoints;  // eth0, eth1, ... in this order
  std::vector<NameLink> links = {};
  // `dns:` servers, asked from inside the container; empty: the host's resolvers.
  std::vector<std::string> upstream = {};
  bool internal_only = false;  // all its networks are internal: never forward

  bool operator==(const ContainerNames&) const = default;
};

enum class RecordType : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28
};

struct Answer {
  enum class Kind { kRecords, kForward, kServfail };
  Kind kind = Kind::kForward;
  std::vector<std::string>
      records;  // packed addresses (4 or 16 bytes), or one host name for PTR; may be empty
};

class NameTable {
 public:
  void set(ContainerNames container);  // adds or replaces
  void remove(const std::string& id);
  void clear();
  const ContainerNames* find(const std::string& id) const;
  std::size_t size() const { return containers_.size(); }

  // `name` without the trailing dot, any case. Records come in the order of the table; the caller
  // shuffles.
  Answer answer(std::string_view name, std::uint16_t type, const std::string& asker_id) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  struct Known {
    const ContainerNames* container;
    const NameEndpoint* endpoint;
  };
  struct Network {
    std::string suffix;  // lower-case ".<name>"
    std::unordered_map<std::string, std::vector<Known>, Hash, std::equal_to<>> names;
    std::unordered_map<std::string, Known, Hash, std::equal_to<>> addresses;  // packed
  };

  const std::vector<Known>* lookup(const Network& network, std::string_view lower) const;
  void add_to_index(const ContainerNames& container);
  void remove_from_index(const ContainerNames& container);

  std::unordered_map<std::string, std::unique_ptr<ContainerNames>, Hash, std::equal_to<>>
      containers_;
  std::unordered_map<std::string, Network, Hash, std::equal_to<>> networks_;
};

}  // namespace stack::netd
