// Limits and devices of `run`, `create` and `update` in the API's words.
#pragma once

#include "base/error.h"
#include "cli/flags.h"
#include "cli/json_text.h"

namespace stack::cli::docker {

// --memory, --cpus, --pids-limit ...: members of HostConfig, and the whole body of `update`. Only
// what was given is added.
Status add_limits(const Arguments& args, JsonObject& host_config);

// --restart as HostConfig.RestartPolicy: {"Name","MaximumRetryCount"}.
Result<std::string> restart_policy_json(const std::string& text);

// --device, --device-*-bps, --blkio-weight-device, --gpus, --ulimit.
Status add_devices(const Arguments& args, JsonObject& host_config);

}  // namespace stack::cli::docker
