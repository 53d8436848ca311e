// The rule set of the table `inet stack`, as values. One more network or port is one more element
// of a set or map; rules never change. What each chain is for:
//
//   guard            before connection tracking: nothing arriving on our bridges may claim or
//                    address 127/8 (route_localnet is on there), and nobody outside may address a
//                    container directly, published or not (moby#45610)
//   published        (nat prerouting) and published_local (nat output): host address and port ->
//                    container, by map
//   leaving          (nat postrouting): egress masquerade; loopback and container sources that were
//                    sent to a published port are masqueraded too, else the answer would not come
//                    back through us (hairpin)
//   forward          established; within one bridge (br_netfilter sends bridged frames here);
//                    internal networks: nothing; to our bridges only what was published;
//                    `not_routed*`: see network.h
//   input            internal networks do not reach the host; no container reaches another bridge's
//                    address
#pragma once

#include <map>
#include <string>
#include <vector>

#include "netd/ipam.h"
#include "netd/network.h"
#include "netd/nft.h"

namespace stack::netd {

inline constexpr const char* kTable = "stack";
inline constexpr const char* kRuleSetMark =
    "stack 1";  // comment of the table; raise the number when rules change
inline constexpr const char* kBridgePrefix = "stk-";

using SetElements = std::map<std::string, std::vector<Element>>;
void merge(SetElements& all, const SetElements& more);

// A table of ours, named kTable.
struct Table {
  std::uint8_t family;              // NFPROTO_*
  std::vector<const char*> chains;  // each has rules when the table is whole
  const char* in_use;               // a set without elements here: the table is not needed
  void (*write)(NftBatch& batch);   // sets, chains and rules
};
const Table& host_table();

// The whole table without elements, created exclusively (EEXIST when it is there) unless `replace`.
void write_table(NftBatch& batch, const Table& table, bool replace);
void write_elements(NftBatch& batch, const SetElements& elements);
void erase_elements(NftBatch& batch, const SetElements& elements);

Result<SetElements> network_elements(const NetworkSpec& spec);
// Empty for what the kernel does not forward: IPv6 addresses of containers without IPv6, [::1].
Result<SetElements> port_elements(const PublishedPort& port);
// Two elements (start, end) of an interval set; the end is left out at the top of the address
// space.
std::vector<Element> interval(const Prefix& prefix);

// For a container's namespace: port 53 of 127.0.0.11 is kResolverPort, by rewriting without
// connection tracking.
NetlinkBatch resolver_rules();

}  // namespace stack::netd
