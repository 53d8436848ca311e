// From the flags of up, create, scale and run to the options of the engine's endpoint, and what
// flags exclude each other.
#pragma once

#include <map>
#include <string>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/json_text.h"

namespace stack::compose {
struct Project;
}

namespace stack::cli {

// Contradictions between flags that need no project to see, with Compose's words.
Status check_up_flags(const Arguments& args);

Result<JsonObject> up_options(const Arguments& args, const compose::Project& project);

// {"web":3} of "web=3".
Result<std::map<std::string, int>> scale_option(const std::vector<std::string>& texts,
                                                bool scale_command);

// --pull of up, create and run in the API's words; empty: as the file says.
Result<std::string> pull_option(const Arguments& args);

}  // namespace stack::cli
