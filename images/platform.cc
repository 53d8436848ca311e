#include "images/platform.h"

#include <array>
#include <utility>

namespace stack::images {

std::string Platform::text() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

// The other names that containerd's platforms package knows.
Platform normal(Platform platform) {
  struct Alias {
    std::string_view name, architecture, variant;
  };
  static constexpr std::array<Alias, 6> kAliases{{{"x86_64", "amd64", ""},
                                                  {"x86-64", "amd64", ""},
                                                  {"aarch64", "arm64", ""},
                                                  {"i386", "386", ""},
                                                  {"armhf", "arm", "v7"},
                                                  {"armel", "arm", "v6"}}};
  for (const Alias& alias : kAliases) {
    if (platform.architecture != alias.name) continue;
    platform.architecture = alias.architecture;
    if (!alias.variant.empty()) platform.variant = alias.variant;
    break;
  }
  if (platform.os.empty()) platform.os = "linux";
  return platform;
}

Platform parse_platform(std::string_view text) {
  if (text.empty() || text == "linux") return {"linux", host_architecture(), ""};
  Platform out;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    out.os = text.substr(0, slash);
    text.remove_prefix(slash + 1);
  }
  const std::size_t second = text.find('/');
  out.architecture = text.substr(0, second);
  if (second != std::string_view::npos) out.variant = text.substr(second + 1);
  return normal(std::move(out));
}

Status check_platform(const Platform& wanted, const ImageConfig& image,
                      const std::string& reference) {
  if (image.architecture.empty()) return ok_status();
  const Platform there = normal({image.os, image.architecture, image.variant});
  if (wanted.os == there.os && wanted.architecture == there.architecture &&
      (wanted.variant.empty() || there.variant.empty() || wanted.variant == there.variant))
    return ok_status();
  return Error::not_found("image with reference " + reference + " was found but its platform (" +
                          there.text() + ") does not match the specified platform (" +
                          wanted.text() + ")");
}

}  // namespace stack::images
