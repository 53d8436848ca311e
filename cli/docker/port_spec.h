// --publish and --expose in the API's words. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace stack::cli::docker {

struct HostPort {
  std::string ip;
  std::string port;  // "", "80" or "8000-8010" (any free one of them)

  bool operator==(const HostPort&) const = default;
};
// By container port, "80/tcp".
using PortBindings = std::map<std::string, std::vector<HostPort>>;

// "[IP:][HOST[-END]:]CONTAINER[-END][/PROTOCOL]" or "target=80,published=8080,protocol=udp".
Status add_published(const std::string& text, PortBindings& out);

// "80", "80-90/udp": keys of Config.ExposedPorts.
Result<std::vector<std::string>> exposed_ports(const std::string& text);

}  // namespace stack::cli::docker
