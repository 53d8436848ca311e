// Hosts whose Docker or ufw still uses the x_tables kernel interface (iptables-legacy): its FORWARD
// chain with policy DROP gets two accept rules for `stk-+` at its head, by getsockopt/setsockopt
// IPT_SO_* (linux/netfilter_ipv4/ip_tables.h), which replace a table as a whole. Nothing is
// touched, or loaded, when no such table exists.
#pragma once

#include "base/error.h"

namespace stack::netd {

Result<bool> legacy_accept_missing();
Status insert_legacy_accept();
Status remove_legacy_accept();

}  // namespace stack::netd
