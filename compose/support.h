// Attributes that the file format has and the engine does not act on yet. They load, they are
// printed by `config`, and each use is a warning with its place. Remove a line from the table when
// the engine learns the attribute.
#pragma once

#include <set>
#include <string>

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// Only services in `active` are looked at.
void warn_unsupported(const Node& root, const std::set<std::string>& active, Report& report);

}  // namespace stack::compose
