// Replaces variables in every value of a tree, never in keys, and turns the strings at places that
// want numbers or booleans into those.
#pragma once

#include "compose/interpolate.h"
#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

void substitute(Node& root, const Lookup& lookup, Report& report);
// Only the second half, for files that are printed with their variables.
void cast_values(Node& root, Report& report);

}  // namespace stack::compose
