#include "netd/legacy_iptables.h"

namespace stack::netd {
Result<bool> legacy_accept_missing() { return false; }
Status insert_legacy_accept() { return ok_status(); }
Status remove_legacy_accept() { return ok_status(); }
}  // namespace stack::netd
