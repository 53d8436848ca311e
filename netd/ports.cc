#include "netd/ports.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/files.h"
#include "netd/conntrack.h"
#include "netd/daemon_sockets.h"
#include "netd/firewall.h"

namespace stack::netd {

namespace {

Result<SetElements> elements_of(const std::vector<PublishedPort>& ports) {
  SetElements all;
  for (const PublishedPort& port : ports) {
    merge(all, TRY(port_elements(port)));
  }
  return all;
}

// Whether a socket bound to `bound` keeps `wanted` (no value: all addresses) from being bound.
bool in_the_way(const Address& bound, const std::optional<Address>& wanted) {
  const bool bound_any = bound == Address{bound.v6, {}};
  if (!wanted) return true;
  const bool wanted_any = *wanted == Address{wanted->v6, {}};
  if (bound.v6 == wanted->v6) return bound_any || wanted_any || bound == *wanted;
  // A wildcard IPv6 socket usually takes IPv4 as well (IPV6_V6ONLY cannot be seen from outside).
  return bound.v6 && bound_any;
}

// The inodes of the sockets in one file of /proc/net, proc_pid_net(5), that are in the way.
std::vector<std::string> socket_inodes(const std::string& file, bool v6, bool tcp,
                                       const std::optional<Address>& wanted, int port) {
  std::vector<std::string> inodes;
  const auto text = read_file("/proc/thread-self/net/" + file);
  if (!text.ok()) return inodes;
  std::size_t at = text->find('\n');
  while (at != std::string::npos && at + 1 < text->size()) {
    const std::size_t end = text->find('\n', at + 1);
    const std::string line = text->substr(at + 1, end - at - 1);
    at = end;
    char local[33] = {};
    unsigned local_port = 0;
    unsigned state = 0;
    unsigned long inode = 0;
    if (std::sscanf(line.c_str(),
                    " %*d: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*d %lu", local,
                    &local_port, &state, &inode) != 4) {
      continue;
    }
    constexpr unsigned kListen = 10;
    if (local_port != static_cast<unsigned>(port) || (tcp && state != kListen)) continue;
    Address bound;
    bound.v6 = v6;
    // Groups of 32 bits in host byte order.
    for (std::size_t word = 0; word < bound.size() / 4; ++word) {
      const auto value = static_cast<std::uint32_t>(
          std::strtoul(std::string(local + word * 8, 8).c_str(), nullptr, 16));
      std::memcpy(bound.bytes + word * 4, &value, 4);
    }
    if (in_the_way(bound, wanted)) inodes.push_back("socket:[" + std::to_string(inode) + "]");
  }
  return inodes;
}

struct CloseDir {
  void operator()(DIR* d) const { ::closedir(d); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

PortHolder find_process(const std::vector<std::string>& inodes) {
  const Dir proc(::opendir("/proc"));
  if (!proc) return {};
  while (const dirent* entry = ::readdir(proc.get())) {
    const int pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string base = std::string("/proc/") + entry->d_name;
    const Dir fds(::opendir((base + "/fd").c_str()));
    if (!fds) continue;
    while (const dirent* fd = ::readdir(fds.get())) {
      char target[64];
      const ssize_t n = ::readlink((base + "/fd/" + fd->d_name).c_str(), target, sizeof target);
      if (n <= 0 || std::find(inodes.begin(), inodes.end(),
                              std::string(target, static_cast<std::size_t>(n))) == inodes.end()) {
        continue;
      }
      std::string command =
          read_file(base + "/comm", 4096).ok() ? *read_file(base + "/comm", 4096) : "";
      while (!command.empty() && command.back() == '\n') command.pop_back();
      return {pid, command};
    }
  }
  return {};
}

}  // namespace

Status publish(const std::string& container_id, const std::vector<PublishedPort>& ports) {
  const SetElements elements = TRY(elements_of(ports));
  const Status added = add_firewall_elements(host_table(), elements);
  if (!added.ok() && added.error().kind == ErrorKind::kConflict) {
    return Error::conflict("port is already allocated")
        .while_("publishing the ports of container " + container_id.substr(0, 12));
  }
  return added;
}

Status unpublish(const std::string& container_id, const std::vector<PublishedPort>& ports) {
  const std::string step = "withdrawing the ports of container " + container_id.substr(0, 12);
  const SetElements elements = TRY_WHILE(elements_of(ports), step);
  TRY_WHILE(remove_firewall_elements(host_table(), elements), step);
  std::vector<std::string> udp;
  for (const PublishedPort& port : ports) {
    if (port.protocol != "udp") continue;
    for (const std::string& address : {port.container_ipv4, port.container_ipv6}) {
      if (!address.empty() && std::find(udp.begin(), udp.end(), address) == udp.end())
        udp.push_back(address);
    }
  }
  if (!udp.empty()) TRY_WHILE(forget_udp_flows(udp), step);
  return ok_status();
}

Status replace_published(const std::string& container_id, const std::vector<PublishedPort>& before,
                         const std::vector<PublishedPort>& after) {
  const std::string step = "handing ports over to container " + container_id.substr(0, 12);
  const SetElements old_ones = TRY_WHILE(elements_of(before), step);
  const SetElements new_ones = TRY_WHILE(elements_of(after), step);
  TRY_WHILE(replace_firewall_elements(host_table(), old_ones, new_ones), step);
  return ok_status();
}

Result<std::optional<PortHolder>> find_port_holder(const std::string& host_ip, int port,
                                                   const std::string& protocol) {
  std::optional<Address> wanted;
  if (!host_ip.empty()) {
    wanted = parse_address(host_ip);
    if (!wanted) return Error::invalid("invalid IP address " + host_ip);
  }
  if (protocol != "tcp" && protocol != "udp")
    return std::optional<PortHolder>();  // the kernel lists no SCTP sockets there
  const bool tcp = protocol == "tcp";
  std::vector<std::string> inodes = socket_inodes(protocol, false, tcp, wanted, port);
  const std::vector<std::string> v6 = socket_inodes(protocol + "6", true, tcp, wanted, port);
  inodes.insert(inodes.end(), v6.begin(), v6.end());
  if (inodes.empty()) return std::optional<PortHolder>();
  return std::optional<PortHolder>(find_process(inodes));
}

bool port_in_use(const std::string& host_ip, int port, const std::string& protocol) {
  if (protocol != "tcp" && protocol != "udp") return false;  // nobody holds those
  const std::vector<std::string> hosts =
      host_ip.empty() ? std::vector<std::string>{"0.0.0.0", "::"} : std::vector{host_ip};
  return std::any_of(hosts.begin(), hosts.end(), [&](const std::string& host) {
    const auto address = parse_address(host);
    if (!address) return false;
    const Fd held = bound_socket(make_endpoint(*address, static_cast<std::uint16_t>(port)),
                                 protocol == "tcp" ? SOCK_STREAM : SOCK_DGRAM);
    return !held && errno == EADDRINUSE;
  });
}

Status check_port_free(const std::string& host_ip, int port, const std::string& protocol) {
  const std::optional<PortHolder> holder = TRY(find_port_holder(host_ip, port, protocol));
  if (!holder) return ok_status();
  Error error = Error::conflict("address already in use");
  if (holder->pid == 0) return error;
  return std::move(error).fix(
      fmt::format("Port {}/{} is held by process {} ({}). Stop it or publish another port.", port,
                  protocol, holder->pid, holder->command));
}

}  // namespace stack::netd
