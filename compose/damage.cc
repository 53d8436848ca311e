#include "compose/damage.h"

#include <fmt/core.h>

#include <algorithm>

namespace stack::compose {
namespace {

bool broken(const Node& n) { return n.tag == Node::Tag::kBroken; }

// True when something was dropped.
bool sweep(Node& node) {
  const std::size_t gone =
      std::erase_if(node.entries, [](const Entry& e) { return broken(e.value); }) +
      std::erase_if(node.items, [](const Node& i) { return broken(i); });
  bool dropped = gone > 0;
  for (Entry& e : node.entries) dropped = sweep(e.value) || dropped;
  for (Node& i : node.items) dropped = sweep(i) || dropped;
  return dropped;
}

}  // namespace

void drop_broken(Node& root, Report& report) {
  for (Entry& section : root.entries) {
    if (broken(section.value)) report.damage(section.key);
    for (Entry& object : section.value.entries) {
      if (broken(object.value)) {
        object.value = Node::map(object.value.place);
        report.damage(fmt::format("{}.{}", section.key, object.key));
      } else if (sweep(object.value)) {
        report.damage(fmt::format("{}.{}", section.key, object.key));
      }
    }
    sweep(section.value);
  }
  std::erase_if(root.entries, [](const Entry& e) { return broken(e.value); });
}

}  // namespace stack::compose
