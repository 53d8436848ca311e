#include "netd/network.h"

#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>

#include "base/files.h"
#include "netd/firewall.h"
#include "netd/foreign_chains.h"
#include "netd/namespace.h"
#include "netd/route.h"
#include "netd/sender_rules.h"

namespace stack::netd {

namespace {

constexpr std::uint32_t kGroupBase =
    0x73746b00;  // "stk": interfaces of a dying network, deleted by group
constexpr const char* kVethPrefix = "stv";

std::string conf(bool v6, const std::string& interface, const std::string& name) {
  return std::string(v6 ? "ipv6" : "ipv4") + "/conf/" + interface + "/" + name;
}

// By netlink: a /sys that was mounted in another namespace shows the interfaces of that one.
Result<bool> is_bridge(NetlinkSocket& socket, const std::string& interface) {
  return TRY(link_kind(socket, interface)) == "bridge";
}

Result<int> make_bridge(NetlinkSocket& socket, const NetworkSpec& spec) {
  if (const int index = link_index(spec.bridge); index != 0 && spec.bridge_by_user) return index;
  // An address of its own: without it a bridge takes the lowest of its ports' and changes it as
  // containers come and go.
  const auto mac = TRY(mac_bytes(random_mac()));
  for (const bool create : {true, false}) {
    NetlinkBatch batch;
    batch.begin(RTM_NEWLINK, create ? NLM_F_CREATE | NLM_F_EXCL : 0, ifinfomsg{});
    batch.put_string(IFLA_IFNAME, spec.bridge);
    if (create) batch.put(IFLA_ADDRESS, mac.data(), mac.size());
    batch.put_u32(IFLA_MTU, static_cast<std::uint32_t>(spec.mtu));
    const std::size_t info = batch.open(IFLA_LINKINFO);
    batch.put(IFLA_INFO_KIND, "bridge");
    batch.close(info);
    batch.end();
    batch.request_ack_of_last();
    const BatchFailure failure = TRY(socket.run(batch));
    if (failure.error == 0) break;
    if (create && failure.error == EEXIST) continue;
    return Error::os(failure.error, "making the bridge " + spec.bridge);
  }
  const int index = link_index(spec.bridge);
  if (index == 0) return Error::not_found("the bridge " + spec.bridge + " vanished");
  return index;
}

Status configure_bridge(NetlinkSocket& socket, const NetworkSpec& spec, int index) {
  TRY(write_sysctl(conf(false, spec.bridge, "route_localnet"), "1"));
  if (exists("/proc/sys/net/ipv6") && spec.bridge_by_user) {
    if (!spec.ipv6.empty()) TRY(write_sysctl(conf(true, spec.bridge, "disable_ipv6"), "0"));
  } else if (exists("/proc/sys/net/ipv6")) {
    TRY(write_sysctl(conf(true, spec.bridge, "accept_ra"), "0"));
    TRY(write_sysctl(conf(true, spec.bridge, "accept_dad"),
                     "0"));  // else it is mute for a second or two
    TRY(write_sysctl(conf(true, spec.bridge, "disable_ipv6"), spec.ipv6.empty() ? "1" : "0"));
  } else if (!spec.ipv6.empty()) {
    return Error::invalid("the kernel has no IPv6, but network " + spec.name + " wants it");
  }
  NetlinkBatch batch;
  for (const auto* list : {&spec.ipv4, &spec.ipv6}) {
    for (const Subnet& subnet : *list) {
      if (subnet.gateway.empty()) continue;
      const auto prefix = parse_prefix(subnet.cidr);
      const auto gateway = parse_address(subnet.gateway);
      if (!prefix || !gateway) return Error::invalid("invalid gateway address " + subnet.gateway);
      add_address(batch, index, {*gateway, prefix->length});
    }
  }
  link_up(batch, index);
  batch.request_ack_of_last();
  return socket.transact(batch, "configuring the bridge " + spec.bridge);
}

bool is_ours(const std::string& name) {
  return name.starts_with(kBridgePrefix) || name.starts_with(kVethPrefix);
}

// Forwarding makes the whole host a router, which nobody asked for: the interfaces of before stay
// apart from each other.
Status enable_forwarding(NetlinkSocket& socket, const NetworkSpec& spec, bool v6) {
  const std::string control = v6 ? "ipv6/conf/all/forwarding" : "ipv4/ip_forward";
  if (TRY(read_sysctl(control)) != "0") return ok_status();
  std::vector<Element> before;
  for (const Link& link : TRY(list_links(socket))) {
    if (link.name == "lo" || is_ours(link.name) || link.name == spec.bridge) continue;
    before.push_back({ifname_key(link.name), "", false});
    if (v6) {
      // A router ignores advertisements unless told to accept them all the same: the host's own
      // IPv6 route hangs on it.
      const auto accept = read_sysctl(conf(true, link.name, "accept_ra"));
      if (accept.ok() && *accept == "1") TRY(write_sysctl(conf(true, link.name, "accept_ra"), "2"));
    }
  }
  SetElements elements;
  if (!before.empty()) elements[v6 ? "not_routed6" : "not_routed4"] = before;
  TRY(add_firewall_elements(host_table(), elements));
  return write_sysctl(control, "1");
}

// Undoes enable_forwarding() when it was us and nobody else has come to rely on it since.
Status disable_forwarding(NetlinkSocket& socket, bool v6, const std::vector<Element>& before) {
  if (before.empty()) return ok_status();
  for (const Link& link : TRY(list_links(socket))) {
    const Element e{ifname_key(link.name), "", false};
    if (link.name == "lo" || is_ours(link.name)) continue;
    if (std::find(before.begin(), before.end(), e) == before.end()) return ok_status();
  }
  return write_sysctl(v6 ? "ipv6/conf/all/forwarding" : "ipv4/ip_forward", "0");
}

Status delete_links(NetlinkSocket& socket, const NetworkSpec& spec) {
  const int index = link_index(spec.bridge);
  if (index == 0 || !TRY(is_bridge(socket, spec.bridge))) return ok_status();
  const std::uint32_t group = kGroupBase + static_cast<std::uint32_t>(index);
  NetlinkBatch batch;
  for (const Link& link : TRY(list_links(socket))) {
    const bool ours = link.index == index
                          ? !spec.bridge_by_user
                          : link.master == index && link.name.starts_with(kVethPrefix);
    if (!ours) continue;
    ifinfomsg header{};
    header.ifi_index = link.index;
    batch.begin(RTM_NEWLINK, 0, header);
    batch.put_u32(IFLA_GROUP, group);
    batch.end();
  }
  (void)TRY(socket.run(batch));  // a veth may die with its namespace at any time
  NetlinkBatch remove;
  remove.begin(RTM_DELLINK, NLM_F_ACK, ifinfomsg{});
  remove.put_u32(IFLA_GROUP, group);
  remove.end();
  const BatchFailure failure = TRY(socket.run(remove));
  if (failure.error != 0 && failure.error != ENODEV) {
    return Error::os(failure.error, "deleting the bridge " + spec.bridge);
  }
  return ok_status();
}

}  // namespace

std::string bridge_name(const std::string& network_id) {
  return kBridgePrefix + network_id.substr(0, 10);
}

Result<bool> find_bridge(const std::string& name) {
  // As the kernel's dev_valid_name(), and never a path.
  const bool valid = !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
                     std::none_of(name.begin(), name.end(), [](unsigned char c) {
                       return c == '/' || c == ':' || std::isspace(c) != 0;
                     });
  if (!valid) return Error::invalid("invalid bridge name \"" + name + "\"");
  if (link_index(name) == 0) return false;
  NetlinkSocket socket = TRY(NetlinkSocket::open_route());
  if (TRY(is_bridge(socket, name))) return true;
  return Error::conflict("existing interface " + name + " is not a bridge");
}

Status ensure_network(const NetworkSpec& spec) {
  (void)TRY_WHILE(find_bridge(spec.bridge), "setting up network " + spec.name);
  const std::string step = "setting up network " + spec.name;
  NetlinkSocket socket = TRY(NetlinkSocket::open_route());
  // Rules first: there is no moment in which the bridge is up and unprotected.
  const SetElements elements = TRY_WHILE(network_elements(spec), step);
  TRY_WHILE(add_firewall_elements(host_table(), elements), step);
  TRY_WHILE(insert_foreign_accepts(), step);
  TRY_WHILE(enable_forwarding(socket, spec, false), step);
  if (!spec.ipv6.empty()) TRY_WHILE(enable_forwarding(socket, spec, true), step);
  if (spec.bridge_by_user) {
    // It may be one of the interfaces of before; as a network's bridge it is forwarded from.
    const std::vector<Element> bridge = {{ifname_key(spec.bridge), "", false}};
    TRY_WHILE(remove_firewall_elements(host_table(), {{"not_routed4", bridge}}), step);
    TRY_WHILE(remove_firewall_elements(host_table(), {{"not_routed6", bridge}}), step);
  }
  const int index = TRY_WHILE(make_bridge(socket, spec), step);
  TRY_WHILE(configure_bridge(socket, spec, index), step);
  return ok_status();
}

Status remove_network(const NetworkSpec& spec) {
  const std::string step = "removing network " + spec.name;
  NetlinkSocket socket = TRY(NetlinkSocket::open_route());
  TRY_WHILE(delete_links(socket, spec), step);
  const SetElements elements = TRY_WHILE(network_elements(spec), step);
  TRY_WHILE(remove_firewall_elements(host_table(), elements), step);
  if (!spec.bridge.starts_with(kBridgePrefix)) TRY_WHILE(remove_foreign_accepts(spec.bridge), step);
  const std::vector<Element> before4 = TRY_WHILE(list_elements(host_table(), "not_routed4"), step);
  const std::vector<Element> before6 = TRY_WHILE(list_elements(host_table(), "not_routed6"), step);
  if (!TRY_WHILE(remove_table_if_unused(host_table()), step)) return ok_status();
  TRY_WHILE(restore_senders({}), step);
  TRY_WHILE(remove_foreign_accepts(), step);
  TRY_WHILE(disable_forwarding(socket, false, before4), step);
  TRY_WHILE(disable_forwarding(socket, true, before6), step);
  return ok_status();
}

namespace {
Result<SetElements> elements_of(const FirewallState& state) {
  SetElements all;
  for (const NetworkSpec& network : state.networks) merge(all, TRY(network_elements(network)));
  for (const PublishedContainer& container : state.published) {
    for (const PublishedPort& port : container.ports) merge(all, TRY(port_elements(port)));
  }
  return all;
}
}  // namespace

Status restore_firewall(const FirewallState& state) {
  TRY_WHILE(restore_senders(state.senders), "restoring the guard of containers' addresses");
  SetElements all = TRY(elements_of(state));
  if (all.empty()) {
    if (TRY(table_state(host_table())) == TableState::kAbsent) return ok_status();
    TRY(replace_table(host_table(), {}));
    (void)TRY(remove_table_if_unused(host_table()));
    return remove_foreign_accepts();
  }
  for (const char* set : {"not_routed4", "not_routed6"}) {
    std::vector<Element> kept = TRY(list_elements(host_table(), set));
    if (!kept.empty()) all[set] = std::move(kept);
  }
  TRY_WHILE(replace_table(host_table(), all), "restoring the firewall");
  return insert_foreign_accepts();
}

Result<bool> firewall_intact(const FirewallState& state) {
  if (TRY(table_state(host_table())) != TableState::kComplete) return false;
  for (const auto& [set, wanted] : TRY(elements_of(state))) {
    const std::vector<Element> there = TRY(list_elements(host_table(), set));
    for (const Element& e : wanted) {
      if (std::find(there.begin(), there.end(), e) == there.end()) return false;
    }
  }
  if (TRY(table_state(sender_table())) == TableState::kBroken) return false;
  return TRY(missing_foreign_accepts()) == 0;
}

Result<Fd> watch_firewall() {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!fd) return Error::os(errno, "opening a netlink socket");
  // Bound, because the kernel never delivers a broadcast to a socket without an address.
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error::os(errno, "binding a netlink socket");
  }
  const int group = NFNLGRP_NFTABLES;
  if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
    return Error::os(errno, "subscribing to firewall changes");
  }
  return fd;
}

bool drain_firewall_events(int fd) {
  // Elements of our own maps come and go with every container; what matters is rules, chains and
  // tables.
  bool changed = false;
  std::vector<char> buffer(32 * 1024);
  for (;;) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {
      changed = true;
      continue;
    }
    if (n <= 0) return changed;
    auto left = static_cast<std::size_t>(n);
    for (const char* at = buffer.data(); left >= sizeof(nlmsghdr);) {
      nlmsghdr header;
      std::memcpy(&header, at, sizeof header);
      if (header.nlmsg_len < sizeof header || header.nlmsg_len > left) break;
      const int message = header.nlmsg_type & 0xff;
      if (header.nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES && message != NFT_MSG_NEWGEN &&
          message != NFT_MSG_NEWSETELEM && message != NFT_MSG_DELSETELEM) {
        changed = true;
      }
      const std::size_t step = std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), left);
      at += step;
      left -= step;
    }
  }
}

}  // namespace stack::netd
