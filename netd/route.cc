#include "netd/route.h"

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <net/if.h>
#include <sys/socket.h>

namespace stack::netd {

void link_up(NetlinkBatch& batch, int index) {
  ifinfomsg link{};
  link.ifi_index = index;
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, 0, link);
  batch.end();
}

void add_address(NetlinkBatch& batch, int index, const Prefix& p) {
  const std::size_t size = p.address.size();
  ifaddrmsg header{};
  header.ifa_family = p.address.v6 ? AF_INET6 : AF_INET;
  header.ifa_prefixlen = static_cast<std::uint8_t>(p.length);
  header.ifa_index = static_cast<unsigned>(index);
  batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header);
  batch.put(IFA_LOCAL, p.address.bytes, size);
  batch.put(IFA_ADDRESS, p.address.bytes, size);
  if (p.address.v6) {
    // We give out each address once; duplicate address detection would only keep it unusable for a
    // second.
    batch.put_u32(IFA_FLAGS, IFA_F_NODAD);
  } else if (p.length < 31) {
    batch.put(IFA_BROADCAST, last_address(p).bytes, size);
  }
  batch.end();
}

namespace {

rtmsg default_route(bool v6) {
  rtmsg route{};
  route.rtm_family = v6 ? AF_INET6 : AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  return route;
}

}  // namespace

void replace_default_route(NetlinkBatch& batch, int index, const Address& gateway) {
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, default_route(gateway.v6));
  batch.put(RTA_GATEWAY, gateway.bytes, gateway.size());
  batch.put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  batch.end();
}

void delete_default_route(NetlinkBatch& batch, bool v6) {
  batch.begin(RTM_DELROUTE, 0, default_route(v6));
  batch.end();
}

Result<std::vector<Link>> list_links(NetlinkSocket& socket) {
  std::vector<Link> out;
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  batch.end();
  const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
    Link link;
    link.index = static_cast<const ifinfomsg*>(NLMSG_DATA(&m))->ifi_index;
    link.name = find_attribute<ifinfomsg>(m, IFLA_IFNAME).text();
    link.master = static_cast<int>(find_attribute<ifinfomsg>(m, IFLA_MASTER).u32());
    const Attribute stats = find_attribute<ifinfomsg>(m, IFLA_STATS64);
    if (stats) std::memcpy(&link.stats, stats.data, std::min(stats.size, sizeof link.stats));
    out.push_back(std::move(link));
  }));
  if (error != 0) return Error::os(error, "listing network interfaces");
  return out;
}

int link_index(const std::string& name) { return static_cast<int>(::if_nametoindex(name.c_str())); }

}  // namespace stack::netd
