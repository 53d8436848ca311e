// The rule set of the table `bridge stack`, as values: from a guarded interface only its own
// addresses may be sent. Without it a container with CAP_NET_RAW, which Docker's default set has,
// answers ARP for its neighbours or the gateway and reads what is meant for them. One more
// interface is one more element of each set. Frames of other protocols need the right MAC address
// alone.
//
//   arp          sender addresses (RFC 826) are those of the interface
//   ip, ip6      the source is; for IPv6 also a link-local address or none (RFC 4862)
//   ip6 nd       the target of a neighbour advertisement (RFC 4861) is, or is link-local
#pragma once

#include "netd/firewall_rules.h"
#include "netd/senders.h"

namespace stack::netd {

const Table& sender_table();
Result<SetElements> sender_elements(const Sender& sender);

}  // namespace stack::netd
