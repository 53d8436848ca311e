// The `options` of docs/api.md as the scheduler's options. Unknown members are ignored: an older
// engine serves a newer client.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "compose/project.h"
#include "scheduler/run.h"

namespace stack::engine {

Result<scheduler::UpOptions> up_options(const nlohmann::json& options);
Result<scheduler::DownOptions> down_options(const nlohmann::json& options);
Result<scheduler::ServicesOptions> services_options(const nlohmann::json& options);
Result<scheduler::ImageOptions> image_options(const nlohmann::json& options);
Result<scheduler::RunOptions> run_options(const nlohmann::json& options);
// What `run` changes in the service's definition: command, environment, ports, volumes, user,
// terminal, restart "no".
Status apply_run_options(const nlohmann::json& options, compose::Service* service);

}  // namespace stack::engine
