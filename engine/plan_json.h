// A plan as the API's dry run answers it, docs/api.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "scheduler/plan.h"

namespace stack::engine {

nlohmann::json to_json(const scheduler::Plan& plan, const std::string& fingerprint);

}  // namespace stack::engine
