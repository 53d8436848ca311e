#include "netd/endpoint.h"

#include <fcntl.h>
#include <linux/veth.h>
#include <net/if.h>

#include "base/files.h"
#include "netd/firewall.h"
#include "netd/namespace.h"
#include "netd/route.h"

namespace stack::netd {

namespace {

constexpr std::size_t kMessagesPerPair = 3;

// One message makes the pair: our end up and in its bridge, the other end in the container's
// namespace under its final name.
Status add_veth(NetlinkBatch& batch, int netns_fd, const EndpointSpec& endpoint,
                const std::string& host_veth, int bridge) {
  batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  batch.put_string(IFLA_IFNAME, host_veth);
  batch.put_u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge));
  batch.put_u32(IFLA_MTU, static_cast<std::uint32_t>(endpoint.mtu));
  const std::size_t info = batch.open(IFLA_LINKINFO);
  batch.put(IFLA_INFO_KIND, "veth");
  const std::size_t data = batch.open(IFLA_INFO_DATA);
  const std::size_t peer = batch.open(VETH_INFO_PEER);
  const ifinfomsg peer_header{};
  batch.append(&peer_header, sizeof peer_header);
  batch.put_string(IFLA_IFNAME, endpoint.interface);
  batch.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns_fd));
  batch.put_u32(IFLA_MTU, static_cast<std::uint32_t>(endpoint.mtu));
  if (!endpoint.mac.empty()) {
    const auto mac = TRY(mac_bytes(endpoint.mac));
    batch.put(IFLA_ADDRESS, mac.data(), mac.size());
  }
  batch.close(peer);
  batch.close(data);
  batch.close(info);
  batch.end();
  // Where br_netfilter is loaded, a container that uses its own published port is answered through
  // the port it came from.
  batch.begin(RTM_NEWLINK, 0, ifinfomsg{});
  batch.put_string(IFLA_IFNAME, host_veth);
  const std::size_t port_info = batch.open(IFLA_LINKINFO);
  batch.put(IFLA_INFO_SLAVE_KIND, "bridge");
  const std::size_t port_data = batch.open(IFLA_INFO_SLAVE_DATA);
  batch.put_u8(IFLA_BRPORT_MODE, 1);  // hairpin
  batch.close(port_data);
  batch.close(port_info);
  // A bridge port needs no address; a link-local one would only send its own chatter through the
  // bridge.
  const std::size_t families = batch.open(IFLA_AF_SPEC);
  const std::size_t inet6 = batch.open(AF_INET6);
  batch.put_u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  batch.close(inet6);
  batch.close(families);
  batch.end();
  ifinfomsg up{};
  up.ifi_flags = IFF_UP;
  up.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, 0, up);
  batch.put_string(IFLA_IFNAME, host_veth);
  batch.end();
  return ok_status();
}

// Inside the namespace. The interface goes up after it has its address, so that arp_notify
// announces it: neighbours may remember the address with the MAC of an earlier container.
Status add_inner(NetlinkBatch& batch, const EndpointSpec& e) {
  const int index = link_index(e.interface);
  if (index == 0)
    return Error::not_found("interface " + e.interface + " is not in the container's namespace");
  if (!e.ipv6.empty()) {
    // Without duplicate address detection the link-local address is usable at once; neighbour
    // discovery needs it.
    TRY(write_sysctl("ipv6/conf/" + e.interface + "/accept_dad", "0"));
    TRY(write_sysctl("ipv6/conf/" + e.interface + "/disable_ipv6", "0"));
  }
  std::vector<std::string> addresses = e.link_local;
  addresses.insert(addresses.begin(), {e.ipv4, e.ipv6});
  for (const std::string& text : addresses) {
    if (text.empty()) continue;
    const auto address = parse_prefix(text);
    if (!address) return Error::invalid("invalid address " + text);
    add_address(batch, index, *address);
  }
  link_up(batch, index);
  return ok_status();
}

Status add_routes(NetlinkBatch& batch, const EndpointSpec& e) {
  const int index = link_index(e.interface);
  for (const auto& [wanted, text] :
       {std::pair(e.default_route4, e.gateway4), std::pair(e.default_route6, e.gateway6)}) {
    if (!wanted || text.empty()) continue;
    const auto gateway = parse_address(text);
    if (!gateway) return Error::invalid("invalid gateway address " + text);
    replace_default_route(batch, index, *gateway);
  }
  return ok_status();
}

std::string random_veth() { return "stv" + random_hex(10); }

Status delete_link(NetlinkSocket& socket, const std::string& name) {
  NetlinkBatch batch;
  batch.begin(RTM_DELLINK, NLM_F_ACK, ifinfomsg{});
  batch.put_string(IFLA_IFNAME, name);
  batch.end();
  const BatchFailure failure = TRY(socket.run(batch));
  if (failure.error != 0 && failure.error != ENODEV)
    return Error::os(failure.error, "deleting interface " + name);
  return ok_status();
}

Error attach_error(const BatchFailure& failure, const EndpointSpec& e) {
  if (failure.error == EXFULL) {
    return Error::conflict("the bridge " + e.bridge + " has no free port: a bridge takes at most " +
                           std::to_string(kMaxBridgePorts) + " containers")
        .fix("Put some of the services on another network.");
  }
  return Error::os(failure.error, "connecting " + e.interface + " to the bridge " + e.bridge);
}

}  // namespace

std::string veth_name(const std::string& container_id, int index) {
  return "stv" + container_id.substr(0, 9) + "." + std::to_string(index % 100);
}

Result<Fd> create_namespace() {
  Fd out;
  const Status made = run_in_namespace(-1, [&]() -> Status {
    out = TRY(open_fd("/proc/thread-self/ns/net", O_RDONLY));
    NetlinkSocket socket = TRY(NetlinkSocket::open_route());
    NetlinkBatch batch;
    link_up(batch, 1);  // lo is always the first
    batch.request_ack_of_last();
    TRY(socket.transact(batch, "bringing the loopback interface up"));
    TRY(write_sysctls("ipv4", {{"ip_unprivileged_port_start", "0"},
                               {"ping_group_range", "0 2147483647"},
                               {"conf/default/arp_notify", "1"}}));
    const Status v6 = write_sysctls("ipv6/conf", {{"default/disable_ipv6", "1"},
                                                  {"default/accept_ra", "0"},
                                                  {"all/accept_ra", "0"},
                                                  {"default/ndisc_notify", "1"}});
    if (!v6.ok() && v6.error().os_errno == ENOENT)
      return ok_status();  // ipv6.disable=1 on the kernel command line
    return v6;
  });
  if (!made.ok()) return made.error();
  return out;
}

Result<Fd> namespace_of(pid_t pid) {
  return open_fd("/proc/" + std::to_string(pid) + "/ns/net", O_RDONLY);
}

Status attach_endpoints(int netns_fd, const std::vector<EndpointSpec>& endpoints,
                        bool with_resolver) {
  std::vector<std::string> veths;
  NetlinkSocket host = TRY(NetlinkSocket::open_route());
  NetlinkBatch pairs;
  for (const EndpointSpec& e : endpoints) {
    const int bridge = link_index(e.bridge);
    if (bridge == 0) return Error::not_found("the bridge " + e.bridge + " does not exist");
    veths.push_back(e.host_veth.empty() ? random_veth() : e.host_veth);
    TRY(add_veth(pairs, netns_fd, e, veths.back(), bridge));
  }
  pairs.request_ack_of_last();
  const BatchFailure failure = TRY(host.run(pairs));
  Status result = ok_status();
  if (failure.error != 0) {
    const std::size_t message = failure.sequence == 0 ? 0 : failure.sequence - 1;
    result = attach_error(failure, endpoints.at(message / kMessagesPerPair));
  } else {
    result = run_in_namespace(netns_fd, [&]() -> Status {
      NetlinkSocket socket = TRY(NetlinkSocket::open_route());
      NetlinkBatch batch;
      for (const EndpointSpec& e : endpoints) TRY(add_inner(batch, e));
      for (const EndpointSpec& e : endpoints) TRY(add_routes(batch, e));
      batch.request_ack_of_last();
      TRY(socket.transact(batch, "configuring the container's interfaces"));
      return with_resolver ? install_resolver_rules() : ok_status();
    });
  }
  if (!result.ok()) {
    for (const std::string& name : veths)
      (void)delete_link(host, name);  // the first error is the one to report
  }
  return result;
}

Status detach_endpoint(const std::string& host_veth) {
  NetlinkSocket socket = TRY(NetlinkSocket::open_route());
  return delete_link(socket, host_veth);
}

Status set_default_routes(int netns_fd, const std::vector<EndpointSpec>& endpoints) {
  return run_in_namespace(netns_fd, [&]() -> Status {
    NetlinkSocket socket = TRY(NetlinkSocket::open_route());
    for (const bool v6 : {false, true}) {
      NetlinkBatch old;
      delete_default_route(old, v6);
      old.request_ack_of_last();
      const BatchFailure failure = TRY(socket.run(old));
      const bool absent =
          failure.error == ESRCH || failure.error == EAFNOSUPPORT || failure.error == EOPNOTSUPP;
      if (failure.error != 0 && !absent)
        return Error::os(failure.error, "removing the default route");
    }
    NetlinkBatch batch;
    for (const EndpointSpec& e : endpoints) TRY(add_routes(batch, e));
    batch.request_ack_of_last();
    return socket.transact(batch, "setting the default route");
  });
}

Result<std::vector<InterfaceCounters>> interface_counters(int netns_fd) {
  std::vector<InterfaceCounters> out;
  const Status listed = run_in_namespace(netns_fd, [&]() -> Status {
    NetlinkSocket socket = TRY(NetlinkSocket::open_route());
    for (const Link& link : TRY(list_links(socket))) {
      if (link.name == "lo") continue;
      const auto& s = link.stats;
      out.push_back({link.name, s.rx_bytes, s.rx_packets, s.rx_errors, s.rx_dropped, s.tx_bytes,
                     s.tx_packets, s.tx_errors, s.tx_dropped});
    }
    return ok_status();
  });
  if (!listed.ok()) return listed.error();
  return out;
}

}  // namespace stack::netd
