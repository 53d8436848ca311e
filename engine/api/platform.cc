#include "engine/api/platform.h"

#include "engine/json_fields.h"
#include "images/platform.h"

namespace stack::engine::api {

Status check_platform(std::string_view wanted, const images::ImageConfig& image,
                      const std::string& reference) {
  if (wanted.empty()) return ok_status();
  images::Platform asked;
  if (wanted.front() == '{') {
    TRY(parse_json(wanted, [&](const Json& json) {
      asked = images::normal(
          {text_field(json, "os"), text_field(json, "architecture"), text_field(json, "variant")});
    }));
  } else {
    asked = images::parse_platform(wanted);
  }
  return images::check_platform(asked, image, reference);
}

}  // namespace stack::engine::api
