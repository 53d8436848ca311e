#include "engine/json_fields.h"

namespace stack::engine {

Result<Unit> parse_json(std::string_view text, const std::function<void(const Json&)>& parser) {
  try {
    const Json document = Json::parse(text.begin(), text.end());
    if (!document.is_object()) return Error::invalid("invalid JSON: an object is wanted");
    parser(document);
    return Unit{};
  } catch (BadValue& bad) {
    return std::move(bad.error);
  } catch (const Json::exception& e) {
    return Error::invalid(std::string("invalid JSON: ") + e.what());
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
