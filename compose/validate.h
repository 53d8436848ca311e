// Checks a tree against the schema: kinds of values, unknown and missing keys, names, repetitions.
// The tree is what has been read so far, merged, so that a key which one file leaves out may stand
// in an earlier one. What is wrong is marked as broken.
#pragma once

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

void validate(Node& root, Report& report);
// One item of `include`, with lists for its paths.
void validate_include(Node& item, Report& report);

}  // namespace stack::compose
