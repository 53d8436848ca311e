// Our tables in the kernel: the edge of firewall_rules.h and sender_rules.h. Acts on the calling
// thread's namespace. Every change is one transaction of the kernel; nothing is kept here, so any
// thread and any process may do it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "netd/firewall_rules.h"

namespace stack::netd {

// Adds elements; makes the table first when it is missing. An element that is there with other
// data: kConflict. A kernel that cannot have the table: os_errno EOPNOTSUPP or ENOENT.
Status add_firewall_elements(const Table& table, const SetElements& elements);
// Takes elements away; absent ones are fine.
Status remove_firewall_elements(const Table& table, const SetElements& elements);
// Takes elements away and adds others in one transaction: no packet sees neither.
Status replace_firewall_elements(const Table& table, const SetElements& old_ones,
                                 const SetElements& new_ones);
// Removes the table when its set `in_use` is empty. Returns whether it is gone.
Result<bool> remove_table_if_unused(const Table& table);
Status replace_table(const Table& table, const SetElements& elements);
// Keys (and data) of one set or map; empty when there is no table.
Result<std::vector<Element>> list_elements(const Table& table, const std::string& set);

enum class TableState { kAbsent, kComplete, kBroken };
Result<TableState> table_state(const Table& table);

// Sends the resolver's rules into the namespace of the calling thread.
Status install_resolver_rules();

}  // namespace stack::netd
