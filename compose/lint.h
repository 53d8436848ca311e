// What is legal and probably not meant. What will fail or have no effect is a warning; the rest are
// notes, looked for only when LoadOptions::lint asks for them.
#pragma once

#include "compose/loader.h"
#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// `root` is the canonical tree that `project` was bound from.
void lint(const Project& project, const Node& root, const LoadOptions& options, Report& report);

}  // namespace stack::compose
