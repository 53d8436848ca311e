// The Docker Engine API's JSON for the model, in both directions. Keys and null rules are Docker's
// (API 1.51).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/model.h"

namespace stack::engine {

// The body of POST /containers/create. kInvalid with Docker's text for values that are out of range
// or malformed.
Result<ContainerConfig> parse_container_config(std::string_view body);
// The same document: parse_container_config(to_create_body(c)) == c. Used by the state store.
std::string to_create_body(const ContainerConfig& config);

Result<NetworkConfig> parse_network_config(std::string_view body);  // POST /networks/create
std::string to_network_body(const NetworkConfig& config);

// Container, network and volume records of the state store: everything that must survive the
// engine.
std::string to_record(const Container& container);
Result<Container> parse_container_record(std::string_view text);
std::string to_record(const Network& network);
Result<Network> parse_network_record(std::string_view text);
std::string to_record(const Volume& volume);
Result<Volume> parse_volume_record(std::string_view text);

}  // namespace stack::engine
