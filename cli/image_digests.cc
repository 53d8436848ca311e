#include "cli/image_digests.h"

#include <fmt/core.h>

#include "cli/docker/support.h"
#include "cli/registry_client.h"
#include "compose/project.h"

namespace stack::cli {

Status resolve_image_digests(Context& context, compose::Project& project) {
  const Engine* engine = TRY(context.engine());
  for (auto& [name, service] : project.services) {
    if (service.image.empty() || service.image.find('@') != std::string::npos) continue;
    const auto answer = docker::get_document(
        *engine, fmt::format("{}/distribution/{}/json", kApi, url_encode(service.image)));
    if (!answer.ok()) return Error(answer.error()).while_("resolving the image of " + name);
    const ImageName image = split_image_name(service.image);
    service.image = fmt::format("{}:{}@{}", full_image_name(image.name),
                                image.tag.empty() ? "latest" : image.tag,
                                (*answer)["Descriptor"].text("digest"));
  }
  return ok_status();
}

std::string image_override(const compose::Project& project) {
  std::string out = "services:\n";
  for (const auto& [name, service] : project.services) {
    if (!service.image.empty()) out += fmt::format("  {}:\n    image: {}\n", name, service.image);
  }
  return out;
}

}  // namespace stack::cli
