#include "netd/legacy_iptables.h"

#include <netinet/in.h>
#include <sys/socket.h>
// clang-format off
#include <net/if.h>
#include <linux/netfilter.h>
// The kernel's C headers hide members named like C++ keywords nowhere, but cast void pointers in inline functions.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <linux/netfilter/x_tables.h>
#pragma GCC diagnostic pop
// clang-format on

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/files.h"
#include "netd/firewall_rules.h"

namespace stack::netd {

namespace {

// linux/netfilter_ipv4/ip_tables.h and its IPv6 sister do not compile as C++; these are their
// structures and numbers.
constexpr int kSetReplace = 64, kGetInfo = 64,
              kGetEntries = 65;   // IPT_BASE_CTL and IP6T_BASE_CTL are both 64
constexpr unsigned kForward = 2;  // NF_INET_FORWARD
constexpr std::size_t kNames = 32;

struct Ip4 {
  in_addr src, dst, src_mask, dst_mask;
  char in[IFNAMSIZ], out[IFNAMSIZ];
  unsigned char in_mask[IFNAMSIZ], out_mask[IFNAMSIZ];
  std::uint16_t proto;
  std::uint8_t flags, inverse;
};
struct Ip6 {
  in6_addr src, dst, src_mask, dst_mask;
  char in[IFNAMSIZ], out[IFNAMSIZ];
  unsigned char in_mask[IFNAMSIZ], out_mask[IFNAMSIZ];
  std::uint16_t proto;
  std::uint8_t tos, flags, inverse;
};
template <typename Ip>
struct Entry {
  Ip ip;
  unsigned cache;
  std::uint16_t target_offset, next_offset;
  unsigned came_from;
  xt_counters counters;
};
struct Info {
  char name[kNames];
  unsigned valid_hooks, hook_entry[NF_INET_NUMHOOKS], underflow[NF_INET_NUMHOOKS], entries, size;
};
struct GetEntries {
  char name[kNames];
  unsigned size;
  // The entries follow, aligned as the kernel aligns them.
};
constexpr std::size_t kEntriesOffset = (sizeof(GetEntries) + 7) / 8 * 8;
struct Replace {
  char name[kNames];
  unsigned valid_hooks, entries, size, hook_entry[NF_INET_NUMHOOKS], underflow[NF_INET_NUMHOOKS],
      old_counters;
  xt_counters* counters;
};
struct StandardTarget {
  std::uint16_t size;
  char name[29];
  std::uint8_t revision;
  int verdict;
  int padding;
};
static_assert(sizeof(Entry<Ip4>) == 112 && sizeof(Entry<Ip6>) == 168 &&
              sizeof(StandardTarget) == 40);

constexpr int kAcceptVerdict = -NF_ACCEPT - 1;

using Names = std::vector<std::string>;

struct FilterTable {
  Info info{};
  std::string entries;
};

template <typename Ip>
struct Legacy {
  int family, level;
  const char* names_file;

  using E = Entry<Ip>;
  static constexpr std::size_t kRuleSize = sizeof(E) + sizeof(StandardTarget);

  bool present() const {
    // The file lists tables in use; asking the socket for one that is not would load it.
    const auto text = read_file(std::string("/proc/thread-self/net/") + names_file, 4096);
    return text.ok() && ("\n" + *text).find("\nfilter\n") != std::string::npos;
  }

  static std::string rule(const std::string& bridge, bool inward) {
    E entry{};
    const std::string name = bridge.empty() ? kBridgePrefix : bridge;
    std::memcpy(inward ? entry.ip.out : entry.ip.in, name.data(), name.size());
    // With the terminator the whole name must match, without it a prefix is enough.
    std::memset(inward ? entry.ip.out_mask : entry.ip.in_mask, 0xff,
                name.size() + (bridge.empty() ? 0 : 1));
    entry.target_offset = sizeof(E);
    entry.next_offset = kRuleSize;
    StandardTarget target{};
    target.size = sizeof target;
    target.verdict = kAcceptVerdict;
    std::string out(reinterpret_cast<const char*>(&entry), sizeof entry);
    out.append(reinterpret_cast<const char*>(&target), sizeof target);
    return out;
  }

  Result<FilterTable> read(int socket) const {
    FilterTable t;
    std::strcpy(t.info.name, "filter");
    socklen_t size = sizeof t.info;
    if (::getsockopt(socket, level, kGetInfo, &t.info, &size) != 0)
      return Error::os(errno, "reading the iptables filter table");
    std::vector<char> buffer(kEntriesOffset + t.info.size);
    GetEntries request{};
    std::strcpy(request.name, "filter");
    request.size = t.info.size;
    std::memcpy(buffer.data(), &request, sizeof request);
    size = static_cast<socklen_t>(buffer.size());
    if (::getsockopt(socket, level, kGetEntries, buffer.data(), &size) != 0) {
      return Error::os(errno, "reading the iptables filter table");
    }
    t.entries.assign(buffer.data() + kEntriesOffset, t.info.size);
    return t;
  }

  static E entry_at(const std::string& entries, std::size_t at) {
    E e;
    std::memcpy(&e, entries.data() + at, sizeof e);
    return e;
  }

  // Offsets of our rules for these bridges in FORWARD.
  static std::vector<std::size_t> ours(const FilterTable& t, const Names& bridges) {
    std::vector<std::size_t> out;
    for (std::size_t at = t.info.hook_entry[kForward]; at < t.info.underflow[kForward];) {
      const E e = entry_at(t.entries, at);
      for (const std::string& bridge : bridges) {
        for (const bool inward : {false, true}) {
          const std::string wanted = rule(bridge, inward);
          // The interface masks and everything before the counters; the rest differs by packet
          // counts.
          if (e.next_offset == kRuleSize && std::memcmp(&e.ip, wanted.data(), sizeof(Ip)) == 0)
            out.push_back(at);
        }
      }
      if (e.next_offset == 0) break;
      at += e.next_offset;
    }
    return out;
  }

  static bool drops(const FilterTable& t) {
    StandardTarget policy;
    std::memcpy(&policy, t.entries.data() + t.info.underflow[kForward] + sizeof(E), sizeof policy);
    return policy.verdict == -NF_DROP - 1;
  }

  // Cuts `removed` bytes out at `at` or puts `added` in there, and moves every offset behind it.
  static void edit(FilterTable& t, std::size_t at, std::size_t removed, const std::string& added) {
    const auto shift = [&](std::size_t offset, bool boundary_moves) -> std::size_t {
      const bool behind =
          boundary_moves ? offset >= at + removed && (removed > 0 || offset >= at) : offset > at;
      return behind ? offset + added.size() - removed : offset;
    };
    for (std::size_t e = 0; e < t.entries.size();) {
      const E entry = entry_at(t.entries, e);
      StandardTarget target;
      const std::size_t target_at = e + entry.target_offset;
      std::memcpy(&target, t.entries.data() + target_at,
                  std::min(sizeof target, t.entries.size() - target_at));
      // A jump to a user chain names the offset of its first rule; chains never begin at the place
      // of our edit, which is inside FORWARD.
      if (target.name[0] == '\0' && target.size == sizeof target && target.verdict > 0) {
        target.verdict = static_cast<int>(shift(static_cast<std::size_t>(target.verdict), false));
        std::memcpy(t.entries.data() + target_at, &target, sizeof target);
      }
      if (entry.next_offset == 0) break;
      e += entry.next_offset;
    }
    for (unsigned hook = 0; hook < NF_INET_NUMHOOKS; ++hook) {
      if ((t.info.valid_hooks & 1U << hook) == 0) continue;
      t.info.hook_entry[hook] = static_cast<unsigned>(shift(t.info.hook_entry[hook], false));
      // When we insert at the head of an empty FORWARD, its policy (the underflow) is at the very
      // place.
      t.info.underflow[hook] = static_cast<unsigned>(shift(t.info.underflow[hook], true));
    }
    t.entries.replace(at, removed, added);
    t.info.size = static_cast<unsigned>(t.entries.size());
    t.info.entries += added.empty() ? -1U : 1U;
  }

  Status write(int socket, const FilterTable& t, unsigned old_entries) const {
    // The new entries carry the packet counts that we read; the kernel hands back the replaced
    // ones, which we drop. Counts of the microseconds between are lost, as with iptables itself.
    std::vector<xt_counters> replaced(old_entries);
    Replace header{};
    std::strcpy(header.name, "filter");
    header.valid_hooks = t.info.valid_hooks;
    header.entries = t.info.entries;
    header.size = t.info.size;
    std::memcpy(header.hook_entry, t.info.hook_entry, sizeof header.hook_entry);
    std::memcpy(header.underflow, t.info.underflow, sizeof header.underflow);
    header.old_counters = old_entries;
    header.counters = replaced.data();
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += t.entries;
    if (::setsockopt(socket, level, kSetReplace, bytes.data(),
                     static_cast<socklen_t>(bytes.size())) != 0) {
      return Error::os(errno, "changing the iptables filter table");
    }
    return ok_status();
  }

  Result<Fd> open() const {
    Fd fd(::socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (!fd) return Error::os(errno, "opening a raw socket for iptables");
    return fd;
  }

  Result<bool> missing(const Names& bridges) const {
    if (!present()) return false;
    const Fd socket = TRY(open());
    const FilterTable t = TRY(read(socket.get()));
    return drops(t) && ours(t, bridges).size() < 2 * bridges.size();
  }

  Status insert(const Names& bridges) const {
    if (!TRY(missing(bridges))) return ok_status();
    TRY(remove(bridges));
    const Fd socket = TRY(open());
    for (int attempt = 0;; ++attempt) {
      FilterTable t = TRY(read(socket.get()));
      const unsigned old_entries = t.info.entries;
      for (const std::string& bridge : bridges) {
        for (const bool inward : {false, true})
          edit(t, t.info.hook_entry[kForward], 0, rule(bridge, inward));
      }
      const Status s = write(socket.get(), t, old_entries);
      // EAGAIN: somebody else replaced the table since we read it.
      if (s.ok() || s.error().os_errno != EAGAIN || attempt == 10) return s;
    }
  }

  Status remove(const Names& bridges) const {
    if (!present()) return ok_status();
    const Fd socket = TRY(open());
    for (int attempt = 0;; ++attempt) {
      FilterTable t = TRY(read(socket.get()));
      const unsigned old_entries = t.info.entries;
      const std::vector<std::size_t> places = ours(t, bridges);
      if (places.empty()) return ok_status();
      for (auto at = places.rbegin(); at != places.rend(); ++at) edit(t, *at, kRuleSize, "");
      const Status s = write(socket.get(), t, old_entries);
      if (s.ok() || s.error().os_errno != EAGAIN || attempt == 10) return s;
    }
  }
};

const Legacy<Ip4> kLegacy4{AF_INET, IPPROTO_IP, "ip_tables_names"};
const Legacy<Ip6> kLegacy6{AF_INET6, IPPROTO_IPV6, "ip6_tables_names"};

}  // namespace

Result<bool> legacy_accept_missing(const Names& bridges) {
  if (TRY(kLegacy4.missing(bridges))) return true;
  return kLegacy6.missing(bridges);
}

Status insert_legacy_accept(const Names& bridges) {
  TRY(kLegacy4.insert(bridges));
  return kLegacy6.insert(bridges);
}

Status remove_legacy_accept(const Names& bridges) {
  TRY(kLegacy4.remove(bridges));
  return kLegacy6.remove(bridges);
}

}  // namespace stack::netd
