// The table `inet stack` in the kernel: the edge of firewall_rules.h. Acts on the calling thread's
// namespace. Every change is one transaction of the kernel; nothing is kept here, so any thread and
// any process may do it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "netd/firewall_rules.h"

namespace stack::netd {

// Adds elements; makes the table first when it is missing. An element that is there with other
// data: kConflict.
Status add_firewall_elements(const SetElements& elements);
// Takes elements away; absent ones are fine.
Status remove_firewall_elements(const SetElements& elements);
// Takes elements away and adds others in one transaction: no packet sees neither.
Status replace_firewall_elements(const SetElements& old_ones, const SetElements& new_ones);
// Removes the table when no bridge is left in it. Returns whether it is gone.
Result<bool> remove_table_if_unused();
Status replace_table(const SetElements& elements);
// Keys (and data) of one set or map; empty when there is no table.
Result<std::vector<Element>> list_elements(const std::string& set);

enum class TableState { kAbsent, kComplete, kBroken };
Result<TableState> table_state();

// Chains of others on the forward hook that drop by policy (Docker, ufw, a hand-written firewall)
// would drop our traffic, whatever our own table says. `missing` counts the ones without our accept
// rules.
Result<int> missing_foreign_accepts();
Status insert_foreign_accepts();
Status remove_foreign_accepts();

// Sends the resolver's rules into the namespace of the calling thread.
Status install_resolver_rules();

}  // namespace stack::netd
