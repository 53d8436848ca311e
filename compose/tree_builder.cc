#include "compose/tree_builder.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "compose/scalar.h"
#include "compose/trace.h"

namespace stack::compose {
namespace {

std::size_t depth_of(const Node& n) {
  std::size_t depth = 0;
  for (const Node& i : n.items) depth = std::max(depth, depth_of(i));
  for (const Entry& e : n.entries) depth = std::max(depth, depth_of(e.value));
  return depth + 1;
}

Node::Tag tag_of(const std::string& tag) {
  if (tag == "!reset") return Node::Tag::kReset;
  if (tag == "!override") return Node::Tag::kOverride;
  return Node::Tag::kNone;
}

// What is behind `first` leaves `from`, into a vector of the very size.
template <typename T>
std::vector<T> cut(std::vector<T>& from, std::size_t first) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
  std::vector<T> out(std::make_move_iterator(begin), std::make_move_iterator(from.end()));
  from.erase(begin, from.end());
  return out;
}

}  // namespace

void TreeBuilder::begin() {
  stack_.clear();
  items_.clear();
  entries_.clear();
  anchors_.clear();
  root_.reset();
}

std::optional<Node> TreeBuilder::take() { return std::exchange(root_, std::nullopt); }

void TreeBuilder::null(Place place, Anchor anchor) { add({Node::null(place), true}, anchor); }

void TreeBuilder::scalar(Place place, const std::string& tag, Anchor anchor,
                         const std::string& text) {
  const bool plain = tag == "?";
  // With a tag of Compose's own it is text, as Docker Compose has it.
  const bool resolved = plain || tag == "tag:yaml.org,2002:int" ||
                        tag == "tag:yaml.org,2002:float" || tag == "tag:yaml.org,2002:bool";
  Node n = resolved ? resolve_plain_scalar(text, place) : Node::string(text, place);
  n.tag = tag_of(tag);
  if (plain && is_timestamp(text) && !in_extension()) {
    report_.error(place, fmt::format("{}: {} is a time to YAML", path(), text),
                  fmt::format("write \"{}\" to use it as a string", text));
  }
  add({std::move(n), plain}, anchor);
}

void TreeBuilder::alias(Place place, Anchor anchor) {
  const auto it = anchors_.find(anchor);
  if (it == anchors_.end()) {
    report_.error(place, "cycle detected: the alias is inside the node that it refers to");
    throw Stop{place};
  }
  aliased_ += it->second.size;
  if (aliased_ > kMaxAliasedNodes) {
    report_.error(place, fmt::format("aliases expand to more than {} nodes", kMaxAliasedNodes));
    throw Stop{place};
  }
  if (stack_.size() + it->second.depth > kMaxYamlDepth) {
    report_.error(place, fmt::format("aliases nest deeper than {} levels", kMaxYamlDepth));
    throw Stop{place};
  }
  add({it->second.node, false}, 0);
}

void TreeBuilder::open(Node::Kind kind, Place place, const std::string& tag, Anchor anchor) {
  Frame& f = stack_.emplace_back();
  f.node.kind = kind;
  f.node.place = place;
  f.node.tag = tag_of(tag);
  f.anchor = anchor;
  f.first = kind == Node::Kind::kList ? items_.size() : entries_.size();
}

void TreeBuilder::close() {
  Frame f = std::move(stack_.back());
  stack_.pop_back();
  if (f.node.is_list()) {
    f.node.items = cut(items_, f.first);
  } else {
    f.node.entries = cut(entries_, f.first);
  }
  for (const Node& m : f.merges) merge_into(f.node, m);
  add({std::move(f.node), false}, f.anchor);
}

// Explicit keys win, and of several merged maps the first that has the key:
// yaml.org/type/merge.html.
void TreeBuilder::merge_into(Node& target, const Node& source) {
  if (source.is_map()) {
    const MapIndex index(target, source.entries.size());
    for (const Entry& e : source.entries) {
      const auto mine = index.find(target, e.key);
      if (!mine) {
        target.entries.push_back(e);
      } else if (Trace* trace = report_.trace()) {
        trace->lost(Trace::How::kOverridden, e.key, target.entries[*mine].value.place, e.value);
      }
    }
  } else if (source.is_list()) {
    for (const Node& i : source.items) {
      if (i.is_map()) {
        merge_into(target, i);
      } else {
        report_.error(i.place, "map merge requires map or sequence of maps as the value");
      }
    }
  } else {
    report_.error(source.place, "map merge requires map or sequence of maps as the value");
  }
}

void TreeBuilder::add(Item item, Anchor anchor) {
  if (anchor != 0) remember(item.node, anchor);
  if (stack_.empty()) {
    root_ = std::move(item.node);
    return;
  }
  Frame& f = stack_.back();
  if (f.node.is_list()) {
    items_.push_back(std::move(item.node));
  } else if (!f.key) {
    f.key = key_of(std::move(item));
  } else {
    add_value(f, std::move(item.node));
  }
}

void TreeBuilder::remember(const Node& node, Anchor anchor) {
  const std::size_t size = count_nodes(node);
  anchored_ += size;
  if (anchored_ > kMaxAnchoredNodes) {
    report_.error(node.place, fmt::format("anchors hold more than {} nodes", kMaxAnchoredNodes));
    throw Stop{node.place};
  }
  anchors_[anchor] = {node, size, depth_of(node)};
}

void TreeBuilder::add_value(Frame& f, Node value) {
  Key key = std::move(*f.key);
  f.key.reset();
  // The parser gives an absent value the place of whatever follows it.
  if (value.is_null() && value.place.line != key.place.line) value.place = key.place;
  if (key.merge && !f.merges.empty()) {
    report_.error(key.place, "mapping key \"<<\" already defined",
                  "merge several maps with a list: <<: [*a, *b]");
  } else if (key.merge) {
    f.merges.push_back(std::move(value));
  } else if (key.usable && is_new(f, key)) {
    entries_.push_back({std::move(key.text), key.place, std::move(value)});
  }
}

TreeBuilder::Key TreeBuilder::key_of(Item item) {
  const Node& n = item.node;
  Key key{{}, n.place, item.plain && n.text == "<<", n.is_string()};
  if (!key.usable) {
    report_.error(
        key.place, fmt::format("non-string key {}: {}", path(), n.is_null() ? "null" : n.text),
        n.is_scalar() && !n.is_null() ? fmt::format("write \"{}\" to use it as a string", n.text)
                                      : "");
  }
  key.text = std::move(item.node.text);
  return key;
}

bool TreeBuilder::is_new(Frame& f, const Key& key) {
  constexpr std::size_t kLarge = 16;
  const auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(f.first);
  const Place* first = nullptr;
  if (entries_.size() - f.first < kLarge) {
    const auto same =
        std::find_if(begin, entries_.end(), [&](const Entry& e) { return e.key == key.text; });
    if (same != entries_.end()) first = &same->key_place;
  } else {
    if (f.seen.empty()) {
      for (auto e = begin; e != entries_.end(); ++e) f.seen.emplace(e->key, e->key_place);
    }
    const auto [it, inserted] = f.seen.emplace(key.text, key.place);
    if (!inserted) first = &it->second;
  }
  if (first == nullptr) return true;
  report_.error(key.place,
                fmt::format("line {}: mapping key \"{}\" already defined at line {}",
                            key.place.line, key.text, first->line),
                "say it once; a name stands for one value");
  return false;
}

bool TreeBuilder::in_extension() const {
  return std::any_of(stack_.begin(), stack_.end(),
                     [](const Frame& f) { return f.key && f.key->text.starts_with("x-"); });
}

// "in services.a" or "at top level".
std::string TreeBuilder::path() const {
  std::string out;
  for (const Frame& f : stack_) {
    if (f.key) out += (out.empty() ? "" : ".") + f.key->text;
  }
  return out.empty() ? "at top level" : "in " + out;
}

}  // namespace stack::compose
