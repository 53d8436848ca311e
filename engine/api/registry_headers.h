// What a client says about registries in its headers.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "base/registry_credentials.h"
#include "engine/api/exchange.h"

namespace stack::engine::api {

// X-Registry-Auth: base64 (of either alphabet) of a JSON object; nullopt when it says nothing.
std::optional<RegistryCredentials> registry_auth_of(const Request& request);
// X-Registry-Config: the same for several registries, by credentials_key().
std::map<std::string, RegistryCredentials> registry_config_of(const Request& request);

// Stops when the client goes away before its answer is complete.
std::stop_token stop_with(Exchange& exchange);

}  // namespace stack::engine::api
