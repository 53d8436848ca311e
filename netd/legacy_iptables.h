// Hosts whose Docker or ufw still uses the x_tables kernel interface (iptables-legacy): its FORWARD
// chain with policy DROP gets two accept rules for each bridge at its head, by
// getsockopt/setsockopt IPT_SO_* (linux/netfilter_ipv4/ip_tables.h), which replace a table as a
// whole. Nothing is touched, or loaded, when no such table exists. `bridges` as in
// foreign_chains.cc: names, and "" for `stk-+`.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace stack::netd {

Result<bool> legacy_accept_missing(const std::vector<std::string>& bridges);
Status insert_legacy_accept(const std::vector<std::string>& bridges);
Status remove_legacy_accept(const std::vector<std::string>& bridges);

}  // namespace stack::netd
