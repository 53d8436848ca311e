#include "compose/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace stack::compose {

Node* Node::find(std::string_view key) {
  return const_cast<Node*>(std::as_const(*this).find(key));  // NOLINT: this is not const
}

const Node* Node::find(std::string_view key) const {
  // The ends differ most often among keys of one length, and a call is saved for each.
  for (const Entry& e : entries) {
    if (e.key.size() != key.size() || (!key.empty() && e.key.back() != key.back())) continue;
    if (e.key == key) return &e.value;
  }
  return nullptr;
}

Node& Node::set(std::string_view key, Node value) {
  if (Node* old = find(key)) {
    *old = std::move(value);
    return *old;
  }
  const Place at = value.place;
  entries.push_back({std::string(key), at, std::move(value)});
  return entries.back().value;
}

bool Node::erase(std::string_view key) {
  const auto it =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  if (it == entries.end()) return false;
  entries.erase(it);
  return true;
}

Node Node::null(Place place) {
  Node n;
  n.place = place;
  return n;
}

Node Node::scalar(Kind kind, std::string text, Place place) {
  Node n;
  n.kind = kind;
  n.text = std::move(text);
  n.place = place;
  return n;
}

Node Node::string(std::string text, Place place) {
  return scalar(Kind::kString, std::move(text), place);
}

Node Node::boolean(bool value, Place place) {
  return scalar(Kind::kBool, value ? "true" : "false", place);
}

Node Node::integer(std::int64_t value, Place place) {
  return scalar(Kind::kInt, std::to_string(value), place);
}

Node Node::list(Place place) { return scalar(Kind::kList, {}, place); }
Node Node::map(Place place) { return scalar(Kind::kMap, {}, place); }

MapIndex::MapIndex(const Node& map, std::size_t lookups) : size_(map.entries.size()) {
  constexpr std::size_t kMany = 8;
  if (size_ < 3 * kMany || lookups < kMany) return;
  index_.reserve(size_);
  for (std::size_t i = 0; i < size_; ++i) index_.emplace(map.entries[i].key, i);
}

std::optional<std::size_t> MapIndex::find(const Node& map, std::string_view key) const {
  if (!index_.empty()) {
    const auto it = index_.find(std::string(key));
    return it == index_.end() ? std::nullopt : std::optional(it->second);
  }
  for (std::size_t i = 0; i < size_; ++i) {
    if (map.entries[i].key == key) return i;
  }
  return std::nullopt;
}

std::size_t count_nodes(const Node& node) {
  std::size_t total = 1;
  for (const Node& i : node.items) total += count_nodes(i);
  for (const Entry& e : node.entries) total += count_nodes(e.value);
  return total;
}

bool same_content(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!same_content(a.items[i], b.items[i])) return false;
  }
  const MapIndex index(b, a.entries.size());
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const Entry& e) {
    const auto other = index.find(b, e.key);
    return other && same_content(e.value, b.entries[*other].value);
  });
}

std::int32_t Sources::add(std::string path, std::string text, std::vector<std::string> chain) {
  File file{std::move(path), std::move(text), std::move(chain), {0}};
  for (std::size_t at = file.text.find('\n'); at != std::string::npos;
       at = file.text.find('\n', at + 1)) {
    file.lines.push_back(static_cast<std::uint32_t>(at + 1));
  }
  files_.push_back(std::move(file));
  return static_cast<std::int32_t>(files_.size() - 1);
}

const Sources::File* Sources::file(std::int32_t number) const {
  if (number < 0 || static_cast<std::size_t>(number) >= files_.size()) return nullptr;
  return &files_[static_cast<std::size_t>(number)];
}

SourceLoc Sources::loc(Place place) const {
  const File* f = file(place.file);
  return {f != nullptr ? f->path : "", place.line, place.column};
}

std::string Sources::text_of(Place place) const {
  const File* f = file(place.file);
  return fmt::format("{}:{}:{}", f != nullptr ? f->path : "", place.line, place.column);
}

std::string_view Sources::line(Place place) const {
  const File* f = file(place.file);
  if (f == nullptr || place.line <= 0) return {};
  const auto number = static_cast<std::size_t>(place.line);
  if (number > f->lines.size()) return {};
  const std::size_t begin = f->lines[number - 1];
  std::string_view line = f->text;
  line = line.substr(begin, line.find('\n', begin) - begin);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::optional<std::size_t> Sources::offset(Place place) const {
  const File* f = file(place.file);
  const auto number = static_cast<std::size_t>(place.line);
  if (f == nullptr || place.line <= 0 || number > f->lines.size()) return std::nullopt;
  const auto column = static_cast<std::size_t>(std::max(place.column, 1)) - 1;
  return std::min(f->lines[number - 1] + column, f->text.size());
}

Place Sources::place(std::int32_t number, std::size_t offset) const {
  const File* f = file(number);
  if (f == nullptr) return {};
  const auto next = std::upper_bound(f->lines.begin(), f->lines.end(), offset);
  return {number, static_cast<std::int32_t>(next - f->lines.begin()),
          static_cast<std::int32_t>(offset - *(next - 1)) + 1};
}

std::vector<std::string> Sources::chain(std::string step, Place place) const {
  std::vector<std::string> out{std::move(step)};
  if (const File* f = file(place.file)) out.insert(out.end(), f->chain.begin(), f->chain.end());
  return out;
}

}  // namespace stack::compose
