#include "engine/json_fields.h"

#include <strings.h>

namespace stack::engine {

const Json& child(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  if (const auto it = object.find(key); it != object.end()) return *it;
  for (const auto& item : object.items()) {
    if (::strcasecmp(item.key().c_str(), key) == 0) return item.value();
  }
  return kNull;
}

Result<Unit> parse_json(std::string_view text, const std::function<void(const Json&)>& parser) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return Error::invalid("invalid JSON: got EOF while reading request body");
  try {
    const Json document = Json::parse(text.begin(), text.end());
    if (!document.is_object()) return Error::invalid("invalid JSON: an object is wanted");
    parser(document);
    return Unit{};
  } catch (BadValue& bad) {
    return std::move(bad.error);
  } catch (const Json::exception& e) {
    // The library's own prefix, "[json.exception.type_error.302] ", says nothing to a user.
    const std::string_view what = e.what();
    const auto end = what.rfind("[json.exception", 0) == 0 ? what.find("] ") : what.npos;
    return Error::invalid("invalid JSON: " +
                          std::string(end == what.npos ? what : what.substr(end + 2)));
  }
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::int64_t to_nanoseconds(WallTime t) {
  return std::chrono::duration_cast<Duration>(t.time_since_epoch()).count();
}

WallTime from_nanoseconds(std::int64_t ns) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(Duration(ns)));
}

}  // namespace stack::engine
