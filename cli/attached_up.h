// `up` with a person watching: starts the project, shows the output of its containers, and stops
// them when asked to.
#pragma once

#include "cli/context.h"
#include "cli/flags.h"
#include "cli/project_run.h"

namespace stack::cli {

Result<int> attached_up(Context& context, const Arguments& args, ProjectRequest request);

}  // namespace stack::cli
