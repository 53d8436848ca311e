// Published ports, kernel side: elements of the maps of the table `inet stack`. The program
// stack-netd holds the host ports themselves (NetdClient::set_published) and forwards what the
// kernel cannot (IPv6 clients of IPv4-only containers). An order that never leaves a wrong state:
// set_published() first (it refuses taken ports), then publish(); on stop unpublish(), then
// remove_container().
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace stack::netd {

struct PublishedPort {
  std::string
      host_ip;        // "" = all addresses, IPv4 and IPv6; "0.0.0.0", "::", "127.0.0.1", "::1", ...
  int host_port = 0;  // never 0 here: ephemeral ports are chosen by next_free_port()
  int container_port = 0;
  std::string protocol = "tcp";  // tcp, udp, sctp
  std::string container_ipv4;    // without prefix length
  std::string container_ipv6;    // empty: IPv6 clients are proxied to container_ipv4

  bool operator==(const PublishedPort&) const = default;
};

// Idempotent. kConflict "port is already allocated" when another container's entry is in the way.
Status publish(const std::string& container_id, const std::vector<PublishedPort>& ports);
// Idempotent. Also forgets tracked UDP flows to the container, which would otherwise outlive it.
Status unpublish(const std::string& container_id, const std::vector<PublishedPort>& ports);

// Host ports change their container in one transaction: new connections go to `after`, established
// ones stay where they are.
Status replace_published(const std::string& container_id, const std::vector<PublishedPort>& before,
                         const std::vector<PublishedPort>& after);

struct PortHolder {
  pid_t pid = 0;        // 0: no process found (kernel socket, or another pid namespace)
  std::string command;  // /proc/PID/comm
};
// Who has the port open in the calling thread's namespace, so that binding host_ip would fail.
// nullopt: nobody.
Result<std::optional<PortHolder>> find_port_holder(const std::string& host_ip, int port,
                                                   const std::string& protocol);
// Whether stack-netd could not hold the port because somebody has it: tried, which takes
// microseconds where find_port_holder() reads what /proc knows of all sockets.
bool port_in_use(const std::string& host_ip, int port, const std::string& protocol);
// kConflict "address already in use" with the holder in the remedy.
Status check_port_free(const std::string& host_ip, int port, const std::string& protocol);

}  // namespace stack::netd
