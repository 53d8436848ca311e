#include "compose/forms.h"

#include <fmt/core.h>

#include "compose/units.h"

namespace stack::compose {

void to_string(Node& n) {
  if (n.is_scalar() && !n.is_null()) n.kind = Node::Kind::kString;
}

void values_to_strings(Node* n) {
  if (n == nullptr) return;
  for (Entry& e : n->entries) to_string(e.value);
}

void items_to_strings(Node* n) {
  if (n == nullptr) return;
  for (Node& i : n->items) to_string(i);
}

void to_dict(Node* n, Unset unset) {
  if (n == nullptr) return;
  if (n->is_list()) {
    Node map = Node::map(n->place);
    map.entries.reserve(n->items.size());
    for (const Node& item : n->items) {
      const std::size_t equals = item.text.find('=');
      map.set(item.text.substr(0, equals),
              equals == std::string::npos ? Node::null(item.place)
                                          : Node::string(item.text.substr(equals + 1), item.place));
    }
    *n = std::move(map);
  }
  for (Entry& e : n->entries) {
    to_string(e.value);
    if (unset == Unset::kEmpty && e.value.is_null()) e.value = Node::string("", e.value.place);
  }
}

void to_environment(Node* n, const Path& path, Report& report) {
  if (n == nullptr) return;
  for (const Node& item : n->items) {
    const std::string_view key = std::string_view(item.text).substr(0, item.text.find('='));
    if (key.empty() || key.back() != ' ') continue;
    report.error(item.place,
                 fmt::format("'{}' environment variable {} is declared with a trailing space",
                             path.text(), key),
                 "write KEY=value without spaces around the equals sign");
  }
  to_dict(n, Unset::kNull);
}

void to_list(Node* n) {
  if (n == nullptr || !n->is_string()) return;
  Node list = Node::list(n->place);
  list.items.push_back(std::move(*n));
  *n = std::move(list);
}

void names_to_map(Node* n, const std::function<Node(Place)>& value) {
  if (n == nullptr || !n->is_list()) return;
  Node map = Node::map(n->place);
  for (const Node& item : n->items) map.set(item.text, value(item.place));
  *n = std::move(map);
}

Node started_dependency(Place at) {
  Node dependency = Node::map(at);
  dependency.set("condition", Node::string("service_started", at));
  dependency.set("required", Node::boolean(true, at));
  return dependency;
}

void wrap(Node& n, std::string_view key) {
  if (!n.is_string()) return;
  Node map = Node::map(n.place);
  map.set(key, std::move(n));
  n = std::move(map);
}

void to_words(Node* n, const Path& path, Report& report) {
  if (n == nullptr || !n->is_string()) return;
  bool cut = false;
  Result<std::vector<std::string>> words = split_command(n->text, &cut);
  if (!words.ok()) {
    report.error(n->place, fmt::format("{}: {}", path.text(), words.error().message),
                 "a quote is not closed, or the text ends in a backslash");
    return;
  }
  if (cut) {
    report.warning(
        n->place,
        fmt::format("{}: everything after an unquoted ; & | < or > is dropped", path.text()),
        "to run a shell, write [\"sh\", \"-c\", \"...\"]");
  }
  Node list = Node::list(n->place);
  for (std::string& w : *words) list.items.push_back(Node::string(std::move(w), n->place));
  *n = std::move(list);
}

void null_empty_lists(Node& n) {
  if (n.is_list() && n.items.empty()) n = Node::null(n.place);
  for (Node& i : n.items) null_empty_lists(i);
  for (Entry& e : n.entries) null_empty_lists(e.value);
}

}  // namespace stack::compose
