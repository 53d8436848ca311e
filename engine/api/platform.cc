#include "engine/api/platform.h"

#include <fmt/core.h>

#include "engine/json_fields.h"

namespace stack::engine::api {

namespace {

struct Platform {
  std::string os, architecture, variant;

  std::string text() const {
    return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
  }
};

// The other names that containerd's platforms package knows.
std::string normal_architecture(const std::string& name) {
  if (name == "x86_64" || name == "x86-64") return "amd64";
  if (name == "aarch64") return "arm64";
  if (name == "i386") return "386";
  return name;
}

Result<Platform> parse(std::string_view text) {
  Platform out;
  if (text.front() == '{') {
    TRY(parse_json(text, [&](const Json& json) {
      out = {text_field(json, "os"), text_field(json, "architecture"), text_field(json, "variant")};
    }));
  } else {
    const auto slash = text.find('/');
    const bool alone = slash == std::string_view::npos;  // an architecture, or the system
    out.os = alone ? "linux" : text.substr(0, slash);
    const auto rest = alone ? text : text.substr(slash + 1);
    out.architecture = alone && text == "linux" ? images::host_architecture()
                                                : std::string(rest.substr(0, rest.find('/')));
    if (const auto second = rest.find('/'); second != std::string_view::npos)
      out.variant = rest.substr(second + 1);
  }
  out.architecture = normal_architecture(out.architecture);
  return out;
}

}  // namespace

Status check_platform(std::string_view wanted, const images::ImageConfig& image,
                      const std::string& reference) {
  if (wanted.empty() || image.architecture.empty()) return ok_status();
  const Platform asked = TRY(parse(wanted));
  const Platform there = {image.os.empty() ? "linux" : image.os,
                          normal_architecture(image.architecture), image.variant};
  const bool fits =
      asked.os == there.os && asked.architecture == there.architecture &&
      (asked.variant.empty() || there.variant.empty() || asked.variant == there.variant);
  if (fits) return ok_status();
  return Error::not_found(
      fmt::format("image with reference {} was found but its platform ({}) does not match the "
                  "specified platform ({})",
                  reference, there.text(), asked.text()));
}

}  // namespace stack::engine::api
