// One bridge network on this host: its bridge, gateway addresses, system controls and its entries
// in the firewall table `inet stack` (see firewall_rules.h for the whole rule set and the reasons).
// All functions act on the network namespace of the calling thread, block, and may be called from
// several threads at once. Everything made here is named `stk-...` (bridges), `stv...` (host ends
// of veth pairs) or lives in the table `stack`.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "netd/ports.h"
#include "netd/senders.h"

namespace stack::netd {

struct Subnet {
  std::string cidr;  // "172.18.0.0/16", "fd00:1::/64"
  std::string
      gateway;  // address of the bridge in it, without a prefix length; empty: the bridge gets none
  std::string ip_range;  // where addresses are given out from; empty: the whole subnet

  bool operator==(const Subnet&) const = default;
};

struct NetworkSpec {
  std::string id;      // 64 hex digits
  std::string name;    // for messages
  std::string bridge;  // bridge_name(id) unless the user named one
  std::vector<Subnet> ipv4;
  std::vector<Subnet> ipv6;
  bool internal = false;   // nothing in or out, not even to the host's own services
  bool masquerade = true;  // com.docker.network.bridge.enable_ip_masquerade
  bool icc = true;  // com.docker.network.bridge.enable_icc: containers of the network may talk to
                    // each other
  int mtu = 1500;
  // The bridge was there before: it stays when the network goes, and its settings are the user's.
  bool bridge_by_user = false;

  bool operator==(const NetworkSpec&) const = default;
};

std::string bridge_name(const std::string& network_id);  // "stk-" and ten hex digits: fits IFNAMSIZ

// Whether a bridge of that name is there already. kConflict when another interface is; kInvalid when
// no interface can have the name.
Result<bool> find_bridge(const std::string& name);

// Idempotent: makes or corrects the bridge, its addresses, controls and firewall entries. Turns IP
// forwarding on when it is off; then packets between the interfaces that were there before stay
// unforwarded (set `not_routed`).
Status ensure_network(const NetworkSpec& spec);

// Idempotent. Takes the bridge away, unless it is the user's, and veths that still hang on it. The
// last network takes the table `stack` and our rules in foreign chains with it.
Status remove_network(const NetworkSpec& spec);

// Everything the firewall has to know. restore_firewall() replaces the whole table in one
// transaction, so there is no moment without rules; for the start of the engine, after `nft flush
// ruleset`, a firewalld reload, or when Docker came up later.
struct PublishedContainer {
  std::string container_id;
  std::vector<PublishedPort> ports;
  bool operator==(const PublishedContainer&) const = default;
};
struct FirewallState {
  std::vector<NetworkSpec> networks;
  std::vector<PublishedContainer> published;
  std::vector<Sender> senders;
  bool operator==(const FirewallState&) const = default;
};
Status restore_firewall(const FirewallState& state);

// Whether our table is there, complete, with all that belongs to `state` (who adds to a table that
// somebody took away makes a new one, which has nothing else), and traffic of ours passes foreign
// FORWARD chains with policy drop. ~0.3 ms.
Result<bool> firewall_intact(const FirewallState& state = {});

// A non-blocking netlink socket that becomes readable whenever somebody changes nftables rules.
// After readability call drain_firewall_events(): true means "changed by somebody else, check
// firewall_intact()".
Result<Fd> watch_firewall();
bool drain_firewall_events(int fd);

}  // namespace stack::netd
