// --network with --network-alias, --ip, --link and the like in the API's words. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/flags.h"

namespace stack::cli::docker {

struct NetworkSpec {
  std::string mode = "default";  // HostConfig.NetworkMode
  std::string endpoints_config;  // JSON of NetworkingConfig.EndpointsConfig; "" for none
};
Result<NetworkSpec> network_spec(const Arguments& args);

// The EndpointSettings of `network connect`.
Result<std::string> endpoint_json(const Arguments& args);

}  // namespace stack::cli::docker
