#include "compose/trace.h"

#include <fmt/core.h>

namespace stack::compose {

std::string Trace::text_of(const Node& node) {
  const auto count = [](std::size_t n, const char* what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  if (node.is_list()) return count(node.items.size(), "item");
  if (node.is_map()) return count(node.entries.size(), "key");
  if (node.is_null()) return "null";
  return node.text;
}

}  // namespace stack::compose
