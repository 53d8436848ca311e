#include "netd/route.h"

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <sys/socket.h>

#include <memory>
#include <new>
#include <stdexcept>

namespace stack::netd {

void link_up(NetlinkBatch& batch, int index) {
  ifinfomsg link{};
  link.ifi_index = index;
  link.ifi_flags = IFF_UP;
  link.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, 0, link);
  batch.end();
}

namespace {

struct ObjectFree {
  void operator()(nl_addr* address) const { ::nl_addr_put(address); }
  void operator()(rtnl_addr* address) const { ::rtnl_addr_put(address); }
  void operator()(rtnl_route* route) const { ::rtnl_route_put(route); }
};
template <typename T>
using Object = std::unique_ptr<T, ObjectFree>;

Object<nl_addr> nl_address(const Address& a) {
  return Object<nl_addr>(::nl_addr_build(a.v6 ? AF_INET6 : AF_INET, a.bytes, a.size()));
}

// libnl-route's builders fail for want of memory or of an attribute that the kernel needs.
void built(int result) {
  if (result == -NLE_NOMEM) throw std::bad_alloc();
  if (result < 0) throw std::logic_error(::nl_geterror(result));
}

Object<rtnl_route> default_route(bool v6) {
  Object<rtnl_route> route(::rtnl_route_alloc());
  const int family = v6 ? AF_INET6 : AF_INET;
  ::rtnl_route_set_family(route.get(), static_cast<std::uint8_t>(family));
  const Object<nl_addr> everywhere(::nl_addr_build(family, nullptr, 0));
  ::rtnl_route_set_dst(route.get(), everywhere.get());
  ::rtnl_route_set_table(route.get(), RT_TABLE_MAIN);
  ::rtnl_route_set_protocol(route.get(), RTPROT_BOOT);
  ::rtnl_route_set_scope(route.get(), RT_SCOPE_UNIVERSE);
  ::rtnl_route_set_type(route.get(), RTN_UNICAST);
  return route;
}

}  // namespace

void add_address(NetlinkBatch& batch, int index, const Prefix& p) {
  const Object<rtnl_addr> address(::rtnl_addr_alloc());
  const Object<nl_addr> local = nl_address(p.address);
  ::nl_addr_set_prefixlen(local.get(), p.length);
  ::rtnl_addr_set_ifindex(address.get(), index);
  ::rtnl_addr_set_local(address.get(), local.get());
  if (p.address.v6) {
    // We give out each address once; duplicate address detection would only keep it unusable for a
    // second.
    ::rtnl_addr_set_flags(address.get(), IFA_F_NODAD);
  } else if (p.length < 31) {
    ::rtnl_addr_set_broadcast(address.get(), nl_address(last_address(p)).get());
  }
  nl_msg* message = nullptr;
  built(::rtnl_addr_build_add_request(address.get(), NLM_F_CREATE | NLM_F_REPLACE, &message));
  batch.add(message);
}

void replace_default_route(NetlinkBatch& batch, int index, const Address& gateway) {
  const Object<rtnl_route> route = default_route(gateway.v6);
  rtnl_nexthop* hop = ::rtnl_route_nh_alloc();  // the route takes it over
  ::rtnl_route_nh_set_ifindex(hop, index);
  ::rtnl_route_nh_set_gateway(hop, nl_address(gateway).get());
  ::rtnl_route_add_nexthop(route.get(), hop);
  nl_msg* message = nullptr;
  built(::rtnl_route_build_add_request(route.get(), NLM_F_CREATE | NLM_F_REPLACE, &message));
  batch.add(message);
}

void delete_default_route(NetlinkBatch& batch, bool v6) {
  nl_msg* message = nullptr;
  built(::rtnl_route_build_del_request(default_route(v6).get(), 0, &message));
  batch.add(message);
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

Result<std::string> link_kind(NetlinkSocket& socket, const std::string& name) {
  std::string kind;
  NetlinkBatch batch;
  batch.begin(RTM_GETLINK, 0, ifinfomsg{});
  batch.put_string(IFLA_IFNAME, name);
  batch.end();
  const int error = TRY(socket.request(batch, [&](const nlmsghdr& m) {
    kind = find_attribute(find_attribute<ifinfomsg>(m, IFLA_LINKINFO), IFLA_INFO_KIND).text();
  }));
  if (error != 0 && error != ENODEV) return Error::os(error, "looking at interface " + name);
  return kind;
}

int link_index(const std::string& name) { return static_cast<int>(::if_nametoindex(name.c_str())); }

}  // namespace stack::netd
