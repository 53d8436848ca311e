// The short forms that many attributes share, each with its long one. All take absent nodes
// (nullptr) and nulls, which stay as they are.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "compose/node.h"
#include "compose/path.h"
#include "compose/report.h"

namespace stack::compose {

// What a key without a value means: its value comes from the environment, or is empty.
enum class Unset { kNull, kEmpty };

// ["KEY=value", ...] to {KEY: value}; values become strings.
void to_dict(Node* n, Unset unset);
// The same for names of variables, whose keys must not end in a space. `path` is for messages.
void to_environment(Node* n, const Path& path, Report& report);
// "x" to ["x"].
void to_list(Node* n);
// [a, b] to {a: null, b: null}, or with what `value` makes.
void names_to_map(Node* n, const std::function<Node(Place)>& value = Node::null);
// What a name in the short form of depends_on means.
Node started_dependency(Place at);
// "x" to {key: x}.
void wrap(Node& n, std::string_view key);
// "sh -c 'x y'" to [sh, -c, "x y"].
void to_words(Node* n, const Path& path, Report& report);
// Scalars, values of a map, items of a list become strings.
void to_string(Node& n);
void values_to_strings(Node* n);
void items_to_strings(Node* n);

// All of a tree, as Docker Compose's JSON has those that came from the file and were not changed.
void null_empty_lists(Node& n);

// Calls f for each map of a top-level section ("services", "networks", ...), with `path` at it.
template <typename F>
void each_object(Node& root, Path& path, std::string_view kind, const F& f) {
  Node* objects = root.find(kind);
  if (objects == nullptr) return;
  const auto step = path.enter(kind);
  for (Entry& e : objects->entries) {
    if (!e.value.is_map()) continue;
    const auto inner = path.enter(e.key);
    f(e.value);
  }
}

}  // namespace stack::compose
