// Services that somebody else provides (`provider: {type, options}`): a program `docker-TYPE` or
// TYPE that is run as
//
//   PROGRAM compose --project-name=P up|down [--OPTION=VALUE ...] SERVICE
//
// and answers with a JSON object a line: {"type": "info" | "debug" | "error" | "setenv", "message":
// "..."}. What it sets (K=V) reaches the services that depend on it as SERVICE_K. `PROGRAM compose
// metadata` may say which options it knows. It runs here, not in the engine, because it is the
// user's: environment, terminal and directory.
#pragma once

#include <set>
#include <string>

#include "cli/context.h"
#include "compose/project.h"

namespace stack::cli {

// Runs those of `selected` (empty: all) and of what they depend on, dependencies first, and gives
// their variables to the dependents in `project`. In a dry run only says so.
Status run_providers(const Context& context, compose::Project& project,
                     const std::vector<std::string>& selected, bool with_dependencies);
// The other way around.
Status end_providers(const Context& context, const compose::Project& project,
                     const std::vector<std::string>& selected);

bool has_providers(const compose::Project& project);

}  // namespace stack::cli
