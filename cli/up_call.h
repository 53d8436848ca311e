// One `up` (or `create`) from providers to the end: what belongs to the user's side of it - running
// providers, answering the engine's questions - around the engine's call.
#pragma once

#include "cli/project_run.h"

namespace stack::cli {

// As call_project(); the project of the request may be replaced by one with the providers'
// variables in it, which lives in `holder`.
Result<ProjectLine::Outcome> call_up(Context& context, ProjectRequest& request,
                                     std::shared_ptr<const compose::Project>& holder,
                                     const Arguments& args, SignalWatch* signals = nullptr,
                                     int* failure_code = nullptr);
// The exit code of a command that is one of these.
Result<int> run_up(Context& context, ProjectRequest& request, const Arguments& args);

}  // namespace stack::cli
