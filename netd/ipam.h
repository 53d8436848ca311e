// Address arithmetic and allocation: values in, values out. What is taken is passed in; the
// engine's store remembers it. Pools and messages are Docker's (bridge driver defaults).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "netd/address.h"
#include "netd/network.h"

namespace stack::netd {

// The first of 172.17-31.0.0/16, 192.168.0.0/20, ... that overlaps nothing of `used` (our networks)
// or `host_routes`. 172.17.0.0/16 is skipped unless include_default_bridge: the default network
// `bridge` has it.
Result<Subnet> next_subnet4(const std::vector<std::string>& used,
                            const std::vector<std::string>& host_routes,
                            bool include_default_bridge = false);
// A unique local /64 made from `network_id` (RFC 4193), moved on when it overlaps.
Result<Subnet> next_subnet6(const std::string& network_id, const std::vector<std::string>& used);

// Checks user-given subnets and fills in missing gateways (first address, of ip_range's subnet not
// the range). kInvalid/kConflict with Docker's texts: "invalid CIDR address: x", "Pool overlaps
// with other one on this address space", ...
Result<Subnet> validate_subnet(const Subnet& subnet, const std::vector<std::string>& used);

// The first address of the range behind `after` (empty: from the beginning), wrapping around, that
// is not in `used` and not the network, broadcast or gateway address. Pass the address given out
// last: a stopped container's interface lives on for some milliseconds until the kernel has taken
// its namespace down, and would still answer for an address reused at once. kConflict "no available
// IPv4 addresses on this network's address pools: <network_label>" (Docker's label: "name (id)").
Result<std::string> next_address(const Subnet& subnet, const std::set<std::string>& used,
                                 const std::string& network_label, const std::string& after = "");
// A fixed address: must be in the subnet, free, and not the gateway.
Status check_static_address(const Subnet& subnet, const std::string& address,
                            const std::set<std::string>& used);

// "02:42:" and the four bytes of the IPv4 address would be guessable; random locally administered
// as current Docker does.
std::string random_mac();
Result<std::array<std::uint8_t, 6>> mac_bytes(std::string_view mac);
Result<std::string> normalize_mac(std::string_view mac);  // lower-case with colons

// The first free port for a published range "a-b" or the ephemeral range (32768-60999): at or after
// `start`, wrapping. kConflict "all ports are allocated".
Result<int> next_free_port(int first, int last, int start, const std::set<int>& used);

// Subnets the host can route to (main table, without default routes), so that ours do not hide
// them.
Result<std::vector<std::string>> host_subnets();

}  // namespace stack::netd
