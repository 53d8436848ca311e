// A declared project in the state store: the canonical document and what travels beside it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "compose/project.h"

namespace stack::engine {

nlohmann::json project_record(const compose::Project& project);
Result<compose::Project> parse_project_record(const nlohmann::json& record);

}  // namespace stack::engine
