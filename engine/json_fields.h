// Reading and writing JSON members as the Docker Engine API does: absent and null are the same, and
// empty lists and maps are written as null. Wrong types throw nlohmann's type_error;
// parse_json_with() in json_fields.cc turns them into errors, so these helpers are for functions
// that are called below it.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace stack::engine {

using Json = nlohmann::json;

// Thrown by parsers for values that are well-formed JSON but wrong; stops in parse_json().
struct BadValue {
  Error error;
};
[[noreturn]] inline void bad_value(std::string message) {
  throw BadValue{Error::invalid(std::move(message))};
}

// A member by its name; where there is none of that very spelling, by the name in any case: Go reads
// JSON so, and there are clients that count on it (docker-py sends "detachKeys").
const Json& child(const Json& object, const char* key);

template <typename T>
T field(const Json& object, const char* key, T otherwise = {}) {
  const Json& value = child(object, key);
  return value.is_null() ? otherwise : value.get<T>();
}
inline std::string text_field(const Json& object, const char* key) {
  return field<std::string>(object, key);
}
template <typename T>
std::optional<T> optional_field(const Json& object, const char* key) {
  const Json& value = child(object, key);
  if (value.is_null()) return std::nullopt;
  return value.get<T>();
}

using Strings = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;

inline Json or_null(const Strings& list) { return list.empty() ? Json() : Json(list); }
inline Json or_null(const StringMap& map) { return map.empty() ? Json() : Json(map); }
template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
inline Json object_or_empty(const StringMap& map) {
  return map.empty() ? Json::object() : Json(map);
}
// {"80/tcp": {}}: a set, as Go clients write one.
inline Json set_or_null(const std::set<std::string>& set) {
  if (set.empty()) return {};
  Json out = Json::object();
  for (const auto& key : set) out[key] = Json::object();
  return out;
}
inline std::set<std::string> key_set(const Json& object) {
  std::set<std::string> out;
  if (!object.is_object()) return out;
  for (const auto& [key, value] : object.items()) out.insert(key);
  return out;
}

// Runs `parser` on the document. Malformed text, wrong types and bad values become kInvalid.
Result<Unit> parse_json(std::string_view text, const std::function<void(const Json&)>& parser);
// Text that is not UTF-8 (a container's output, for one) is written with replacement characters.
std::string dump(const Json& json);

std::int64_t to_nanoseconds(WallTime t);
WallTime from_nanoseconds(std::int64_t ns);

}  // namespace stack::engine
