// Tree to model. The tree is in canonical form; strings at the places of numbers and booleans are
// read as such.
#pragma once

#include "compose/node.h"
#include "compose/project.h"
#include "compose/report.h"

namespace stack::compose {

Project bind_project(const Node& root, Report& report);

}  // namespace stack::compose
