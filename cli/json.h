// JSON documents of the engine as the commands pass them on: members keep the engine's order.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace stack::cli {

using Json = nlohmann::ordered_json;

}  // namespace stack::cli
