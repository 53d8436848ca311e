// The tree that the loader works on between text and model: every node knows where the user wrote
// it. Scalars keep their kind and their canonical text ("493" for 0755, "1000" for 1e3, "true" for
// True), so that turning a number into a string is no work. Maps keep the order of the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::compose {

// File number in Sources, line and column from 1; line 0 is nowhere.
struct Place {
  std::int32_t file = -1;
  std::int32_t line = 0;
  std::int32_t column = 0;
};

struct Entry;

struct Node {
  enum class Kind : std::uint8_t { kNull, kBool, kInt, kFloat, kString, kList, kMap };
  enum class Tag : std::uint8_t { kNone, kReset, kOverride };

  Kind kind = Kind::kNull;
  Tag tag = Tag::kNone;
  Place place;
  std::string text;            // scalars
  std::vector<Node> items;     // lists
  std::vector<Entry> entries;  // maps

  bool is_null() const { return kind == Kind::kNull; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  bool is_scalar() const { return kind < Kind::kList; }

  Node* find(std::string_view key);
  const Node* find(std::string_view key) const;
  // Replaces or appends.
  Node& set(std::string_view key, Node value);
  // True when there was one.
  bool erase(std::string_view key);

  static Node null(Place place = {});
  static Node string(std::string text, Place place = {});
  static Node scalar(Kind kind, std::string text, Place place = {});
  static Node boolean(bool value, Place place = {});
  static Node integer(std::int64_t value, Place place = {});
  static Node list(Place place = {});
  static Node map(Place place = {});
};

struct Entry {
  std::string key;
  Place key_place;
  Node value;
};

// Same content; places and the order of map entries do not count.
bool same_content(const Node& a, const Node& b);

// The files read so far, by number.
class Sources {
 public:
  struct File {
    std::string path;
    std::string text;
  };
  std::int32_t add(std::string path, std::string text);
  const File* file(std::int32_t number) const;
  SourceLoc loc(Place place) const;
  std::string line(Place place) const;  // the text of the line, without its end

 private:
  std::vector<File> files_;
};

}  // namespace stack::compose
