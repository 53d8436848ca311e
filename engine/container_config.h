// From what a client asked for to what runs: image defaults, command line, and the small files
// below /etc. Pure, but for the devices of limits, which are looked up.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "engine/model.h"
#include "images/image_config.h"
#include "runtime/default_spec.h"

namespace stack::engine {

// Adds what the image says and the request does not, as Docker merges them: environment, command,
// ports, volumes, labels, health check, user, working directory, stop signal. kInvalid "no command
// specified".
Result<ContainerConfig> merge_image_config(ContainerConfig config,
                                           const images::ImageConfig& image);
// entrypoint and cmd as one list.
std::vector<std::string> command_line(const ContainerConfig& merged);

// The one that was asked for, else the short id.
std::string hostname_of(const Container& container);

// What happens around the container's own files at start.
struct NetworkIdentity {
  std::string hostname, domainname;
  bool own_resolver = false;                // 127.0.0.11
  std::vector<std::string> host_addresses;  // own addresses, for /etc/hosts
};
std::string hosts_file(const ContainerConfig& config, const NetworkIdentity& identity,
                       const std::string& host_gateway);
// The part of it that names the container itself: a line for each address.
std::string own_host_lines(const NetworkIdentity& identity);
std::string without_host_lines(const std::string& hosts, const std::vector<std::string>& addresses);
std::string resolv_conf(const ContainerConfig& config, const NetworkIdentity& identity,
                        const std::string& host_text);

// The runtime's options, without mounts and namespaces, which depend on this machine
// (container_start.cc).
Result<runtime::ContainerOptions> runtime_options(const Container& container);

// Its limits. The devices that it names must exist.
Result<runtime::Resources> runtime_resources(const ResourceLimits& limits);

}  // namespace stack::engine
