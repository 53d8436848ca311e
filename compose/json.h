// JSON (RFC 8259) to trees and back. Printing escapes <, > and & as encoders meant for HTML do,
// because the configuration hash depends on every byte.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "compose/node.h"

namespace stack::compose {

Result<Node> parse_json(std::string_view text);
// indent 0: one line without spaces.
std::string print_json(const Node& node, int indent = 0);

}  // namespace stack::compose
