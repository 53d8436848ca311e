// The tree that the loader works on between text and model: every node knows where the user wrote
// it. Scalars keep their kind and their canonical text ("493" for 0755, "1000" for 1e3, "true" for
// True), so that turning a number into a string is no work. Maps keep the order of the text.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
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
  // kBroken: an error was reported about it; it leaves the tree before the next pass (damage.h).
  enum class Tag : std::uint8_t { kNone, kReset, kOverride, kBroken };

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

// Finds the entries that a map has now, of a large one in constant time. More may be added to the
// map meanwhile, but none may be removed.
class MapIndex {
 public:
  MapIndex(const Node& map, std::size_t lookups);  // how many are to come, about
  // The entry's position; nothing when there is none.
  std::optional<std::size_t> find(const Node& map, std::string_view key) const;

 private:
  std::size_t size_;
  std::unordered_map<std::string, std::size_t> index_;  // empty: searching is cheaper
};

std::size_t count_nodes(const Node& node);

// Same content; places and the order of map entries do not count.
bool same_content(const Node& a, const Node& b);

// The files read so far, by number.
class Sources {
 public:
  struct File {
    std::string path;
    std::string text;
    // How the file came in, innermost first: "included by compose.yaml:1:11".
    std::vector<std::string> chain;
    std::vector<std::uint32_t> lines;  // where each begins in `text`
  };
  std::int32_t add(std::string path, std::string text, std::vector<std::string> chain = {});
  const File* file(std::int32_t number) const;
  SourceLoc loc(Place place) const;
  // "path:line:column"
  std::string text_of(Place place) const;
  // The text of the line, without its end.
  std::string_view line(Place place) const;
  // Of the place in the file's text; nothing when it is nowhere.
  std::optional<std::size_t> offset(Place place) const;
  // The place of an offset of a file's text.
  Place place(std::int32_t number, std::size_t offset) const;
  // `step`, then how the file of `place` itself came in.
  std::vector<std::string> chain(std::string step, Place place) const;

 private:
  std::deque<File> files_;  // texts keep their address
};

}  // namespace stack::compose
