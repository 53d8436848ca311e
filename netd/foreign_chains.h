// Chains of others on the forward hook that drop by policy (Docker, ufw, firewalld, a hand-written
// firewall) would drop our traffic, whatever our own table says. Each of them gets two accept rules
// at its head for every interface pattern of ours: `stk-*`, and each bridge in our table's set
// `bridges` that a user named otherwise. Acts on the calling thread's namespace.
#pragma once

#include <string>

#include "base/error.h"

namespace stack::netd {

// How many such chains lack a rule of ours.
Result<int> missing_foreign_accepts();
// Idempotent.
Status insert_foreign_accepts();
// The rules for one bridge that a user named.
Status remove_foreign_accepts(const std::string& bridge);
// All rules of ours.
Status remove_foreign_accepts();

}  // namespace stack::netd
