#include "compose/node.h"

#include <algorithm>

namespace stack::compose {

Node* Node::find(std::string_view key) {
  for (Entry& e : entries) {
    if (e.key == key) return &e.value;
  }
  return nullptr;
}

const Node* Node::find(std::string_view key) const {
  for (const Entry& e : entries) {
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

bool same_content(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!same_content(a.items[i], b.items[i])) return false;
  }
  return std::all_of(a.entries.begin(), a.entries.end(), [&](const Entry& e) {
    const Node* other = b.find(e.key);
    return other != nullptr && same_content(e.value, *other);
  });
}

std::int32_t Sources::add(std::string path, std::string text) {
  files_.push_back({std::move(path), std::move(text)});
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

std::string Sources::line(Place place) const {
  const File* f = file(place.file);
  if (f == nullptr || place.line <= 0) return {};
  std::size_t begin = 0;
  for (int i = 1; i < place.line; ++i) {
    begin = f->text.find('\n', begin);
    if (begin == std::string::npos) return {};
    ++begin;
  }
  std::size_t end = f->text.find('\n', begin);
  if (end == std::string::npos) end = f->text.size();
  if (end > begin && f->text[end - 1] == '\r') --end;
  return f->text.substr(begin, end - begin);
}

}  // namespace stack::compose
