// The rtnetlink messages of this folder, appended to a batch. Values in, bytes out.
#pragma once

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "netd/ipam.h"
#include "netd/netlink.h"

namespace stack::netd {

void link_up(NetlinkBatch& batch, int index);
void add_address(NetlinkBatch& batch, int index, const Prefix& address);
void replace_default_route(NetlinkBatch& batch, int index, const Address& gateway);
void delete_default_route(NetlinkBatch& batch, bool v6);

struct Link {
  int index = 0;
  std::string name;
  int master = 0;
  rtnl_link_stats64 stats{};
};
Result<std::vector<Link>> list_links(NetlinkSocket& socket);
// "bridge", "veth", ...; empty: hardware, or no such interface.
Result<std::string> link_kind(NetlinkSocket& socket, const std::string& name);
int link_index(const std::string& name);  // 0: none; in the calling thread's namespace

}  // namespace stack::netd
