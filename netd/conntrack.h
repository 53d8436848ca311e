// Tracked flows (nfnetlink conntrack, linux/netfilter/nfnetlink_conntrack.h).
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace stack::netd {

// Deletes UDP flows whose answers come from one of `container_addresses`. UDP has no end, so a
// client that keeps sending would keep an old address translation alive after the container was
// replaced.
Status forget_udp_flows(const std::vector<std::string>& container_addresses);

}  // namespace stack::netd
