// A container's network namespace and its interfaces. The functions act between the calling
// thread's namespace (the host's) and the container's; entering the latter is left to throwaway
// threads, so callers never change namespace. A namespace lives as long as a process, a socket or a
// descriptor in it; when it dies its veth pairs go with it (2 us instead of 20 ms for an
// RTM_DELLINK), so a stopping container needs no detach at all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace stack::netd {

inline constexpr const char* kResolverAddress = "127.0.0.11";
// stack-netd listens here inside each container; a stateless nftables rule rewrites port 53 to it
// and back, so that the container itself may bind 0.0.0.0:53, and DNS needs no connection tracking.
inline constexpr std::uint16_t kResolverPort = 41953;
inline constexpr int kMaxBridgePorts = 1023;  // BR_MAX_PORTS is 1 << 10, port number 0 is not used

struct EndpointSpec {
  std::string network_id;
  std::string bridge;
  std::string interface;  // "eth0"
  std::string ipv4;       // "172.18.0.2/16"; empty: none
  std::string gateway4;   // "172.18.0.1"; used when default_route4
  std::string ipv6;       // "fd00:1::2/64"; empty: IPv6 is switched off on the interface
  std::string gateway6;
  std::vector<std::string> link_local;  // more addresses: "169.254.8.8/16", "fe80::8/64"
  std::string mac;                      // "02:42:ac:12:00:02"; empty: chosen by the kernel
  bool default_route4 = false;
  bool default_route6 = false;
  std::string
      host_veth;  // at most 15 characters; empty: veth_name(container's own choice) is random
  int mtu = 1500;
};

std::string veth_name(const std::string& container_id, int index);  // "stv", nine hex digits, index

// A new namespace with `lo` up, accept_ra off, IPv6 off for interfaces to come,
// ip_unprivileged_port_start 0, ping_group_range "0 2147483647".
Result<Fd> create_namespace();
Result<Fd> namespace_of(pid_t pid);  // /proc/PID/ns/net

// Makes all interfaces with addresses and routes and (with_resolver) the redirection of
// 127.0.0.11:53. Undoes itself on error. kConflict when a bridge has no port left.
Status attach_endpoints(int netns_fd, const std::vector<EndpointSpec>& endpoints,
                        bool with_resolver = true);

// For `network disconnect` of a living container, by the host's end: the other may have got another
// name. Absent is fine.
Status detach_endpoint(const std::string& host_veth);

// Moves the default routes (after connect/disconnect changed which endpoint has priority).
Status set_default_routes(int netns_fd, const std::vector<EndpointSpec>& endpoints);

struct InterfaceCounters {
  std::string name;
  std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};
Result<std::vector<InterfaceCounters>> interface_counters(int netns_fd);  // all but lo, for stats

}  // namespace stack::netd
