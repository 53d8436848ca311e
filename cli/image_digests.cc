#include "cli/image_digests.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "compose/project.h"

namespace stack::cli {

Result<std::string> pinned_image(const std::string& image, const DigestLookup& lookup) {
  const std::size_t at = image.find('@');
  std::string name = image.substr(0, at);
  const std::size_t slash = name.find('/');
  const std::string domain = name.substr(0, slash);
  // The first component is a registry when it looks like a host.
  const bool registry = slash != std::string::npos &&
                        (domain.find_first_of(".:") != std::string::npos || domain == "localhost");
  if (!registry) {
    name = (slash == std::string::npos ? "docker.io/library/" : "docker.io/") + name;
  }
  const std::size_t colon = name.rfind(':');
  const bool tagged = colon != std::string::npos && name.find('/', colon) == std::string::npos;
  const std::string repository = tagged ? name.substr(0, colon) : name;
  if (at != std::string::npos) return repository + image.substr(at);
  const std::string digest = TRY(lookup(tagged ? name : name + ":latest"));
  return fmt::format("{}@{}", repository, digest);
}

Status pin_images(compose::Project& project, const DigestLookup& lookup) {
  for (auto& [name, service] : project.services) {
    if (service.image.empty()) continue;
    service.image = TRY_WHILE(pinned_image(service.image, lookup),
                              fmt::format("resolving the image of {}", name));
  }
  return ok_status();
}

Result<std::string> distribution_digest(const std::string& json) {
  const auto answer = nlohmann::json::parse(json, nullptr, false);
  if (answer.is_object() && answer.contains("Descriptor")) {
    const std::string digest = answer["Descriptor"].value("digest", "");
    if (!digest.empty()) return digest;
  }
  return Error::invalid("the engine's answer has no digest");
}

}  // namespace stack::cli
