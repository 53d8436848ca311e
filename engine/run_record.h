// The last run on a project, in the state store: for `stack why`.
#pragma once

#include <string>

#include "base/error.h"
#include "scheduler/why.h"

namespace stack::engine {

std::string to_record(const scheduler::LastRun& run);
Result<scheduler::LastRun> parse_run_record(const std::string& text);

}  // namespace stack::engine
