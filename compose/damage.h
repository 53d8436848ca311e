// Takes what was reported as wrong out of a tree, so that the passes after it see a sound one and
// all errors of a project are found in one run.
#pragma once

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// The names of objects stay, with nothing in them, so that references to them are no errors. What
// lost something is `damaged` in the report.
void drop_broken(Node& root, Report& report);

}  // namespace stack::compose
