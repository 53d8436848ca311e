// Puts a later tree over an earlier one, attribute by attribute: Compose Specification, "Merge".
// The later one may be in any of the short forms; the earlier one is in canonical form
// (canonical.h) as far as it has been read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// The places that a file marks with !reset or !override: what stood there before goes.
struct Mark {
  std::vector<std::string> keys;  // from the root down
  Place place;                    // of what stands there now, or of the key that is reset
  bool reset = false;
};
using Marks = std::vector<Mark>;

// Takes the nodes that !reset marks out of a tree and forgets the marks.
Marks take_marks(Node& document);
// `report` only passes on the trace.
void erase_marked(Node& model, const Marks& marks, const Report& report);
// Only what concerns one service.
void erase_marked(Node& service, std::string_view name, const Marks& marks, const Report& report);

// Whole files: {services: ..., networks: ...}.
void merge_file(Node& base, Node over, Report& report);
// One service over the one it extends.
void merge_service(Node& base, Node over, std::string_view name, Report& report);

// Of list items with the same key the last stays, at the place of the first.
void deduplicate(Node& model, Report& report);

// As Docker Compose's JSON has them: an empty list is null, but for those that it has looked at
// (deduplicate) and not changed since.
void null_empty_lists_of_model(Node& model, bool normalized);

}  // namespace stack::compose
