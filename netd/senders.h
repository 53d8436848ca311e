// Interfaces that may send from their own addresses alone (sender_rules.h), kernel side. A kernel
// without nf_tables for bridges (CONFIG_NF_TABLES_BRIDGE) guards nothing, and nothing here fails.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace stack::netd {

// One end of a veth pair on a bridge, and what its container may call itself.
struct Sender {
  std::string veth;  // the host's end
  std::string mac;
  std::string ipv4;  // without prefix length; empty: none
  std::string ipv6;
  std::vector<std::string> link_local;  // more addresses of either kind

  bool operator==(const Sender&) const = default;
};

// Idempotent. The interfaces need not be there yet.
Status guard_senders(const std::vector<Sender>& senders);
// Idempotent.
Status forget_senders(const std::vector<Sender>& senders);
// Exactly these; with none of them the table goes too.
Status restore_senders(const std::vector<Sender>& senders);

}  // namespace stack::netd
