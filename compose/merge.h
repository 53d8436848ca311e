// Puts a later tree over an earlier one, attribute by attribute: Compose Specification, "Merge".
// Both are in canonical form (canonical.h), where every list that has keys is a map or knows its
// key. Used for several files and for `extends`.
#pragma once

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// Whole files: {services: ..., networks: ...}.
void merge_file(Node& base, Node over, Report& report);
// One service over the one it extends.
void merge_service(Node& base, Node over, std::string_view name, Report& report);

// Within one tree: removes what !reset marks, drops the marks, and of list items with the same key
// keeps the last.
void settle_file(Node& root);

}  // namespace stack::compose
