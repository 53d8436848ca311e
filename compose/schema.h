// The shape of a Compose file: which keys stand where and what their values may be. One table
// (schema.cc) serves validation, the casts after interpolation and the suggestions in messages.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace stack::compose {

struct Section;

// One thing a value may be.
struct Alternative {
  // What the keys of a map must be: names of objects; more than line ends; one line.
  enum class Keys { kAny, kNames, kTexts, kLines };
  enum class Kind { kAny, kNull, kBool, kInt, kNumber, kString, kList, kMap, kSection };
  Kind kind = Kind::kAny;
  bool cast = false;                  // a string here becomes this kind after interpolation
  std::vector<std::string> choices;   // kString: only these; empty: any
  std::string check;                  // kString: name of a check in validate.cc
  bool unique = false;                // kList: no item twice
  Keys keys = Keys::kAny;             // kMap
  std::optional<std::int64_t> least;  // kInt
  std::optional<std::int64_t> most;
  const std::vector<Alternative>* item = nullptr;  // of kList and kMap
  const Section* section = nullptr;                // of kSection
};
using Shape = std::vector<Alternative>;

struct Key {
  std::string name;
  Shape shape;
  bool required = false;
};

struct Section {
  std::string name;
  bool extensions = false;  // x-* allowed
  bool open = false;        // any key allowed
  std::vector<Key> keys;

  std::unordered_map<std::string_view, std::size_t> index;  // positions in `keys`

  const Key* find(std::string_view key) const;
  std::vector<std::string> key_names() const;
};

class Schema {
 public:
  const Section& section(std::string_view name) const;

 private:
  friend class SchemaParser;
  std::map<std::string, Section, std::less<>> sections_;
  std::map<std::string, Shape, std::less<>> named_;
  std::deque<Shape> items_;
};

// Immutable, built on first use.
const Schema& schema();

}  // namespace stack::compose
