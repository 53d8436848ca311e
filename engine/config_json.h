// The parts of ContainerConfig as Docker's objects: Config, HostConfig, and endpoint settings.
// Shared by the create request, the inspect documents and the records. For callers below
// parse_json().
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "engine/model.h"

namespace stack::engine {

nlohmann::json config_json(const ContainerConfig& config);
void parse_config(const nlohmann::json& config, ContainerConfig& out);

// kDocker: binds, tmpfs and mounts each in the member where a client would have written it.
// kAllMounts: every mount in Mounts, in order, with nothing lost.
enum class MountForm { kDocker, kAllMounts };
nlohmann::json host_config_json(const ContainerConfig& config, MountForm form);
void parse_host_config(const nlohmann::json& host_config, ContainerConfig& out);

// NanoCpus, Memory, ... as they stand in HostConfig and in POST /containers/x/update.
void parse_resources(const nlohmann::json& json, ResourceLimits& out);

void mounts_to_json(const ContainerConfig& config, MountForm form, nlohmann::json& host_config);
void parse_mounts(const nlohmann::json& host_config, ContainerConfig& out);
// "source:target[:options]"; Docker's error text when malformed.
MountConfig parse_bind(std::string_view text);

// The settings a client may ask for: IPAMConfig, Links, Aliases, MacAddress, DriverOpts,
// GwPriority.
nlohmann::json endpoint_json(const EndpointConfig& config);
EndpointConfig parse_endpoint(const nlohmann::json& endpoint);

nlohmann::json healthcheck_json(const HealthcheckConfig& healthcheck);

// What is in range and does not contradict itself; Docker's texts. Throws BadValue.
void check_config(const ContainerConfig& config);
// The same for what POST /containers/x/update may change.
void check_update(const ContainerConfig& changes);

}  // namespace stack::engine
