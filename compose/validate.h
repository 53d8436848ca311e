// Checks a tree against the schema. A file alone may leave out what another file says, so the two
// halves run at different times: kinds of values and unknown keys for each file, empty values and
// missing keys once all files are merged.
#pragma once

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

void validate_file(const Node& root, Report& report);
void validate_merged(const Node& root, Report& report);

}  // namespace stack::compose
