#include "cli/registry_client.h"

#include <fmt/core.h>

#include "base/base64.h"
#include "base/registry_credentials.h"
#include "cli/json_text.h"

namespace stack::cli {

Result<ApiClient> with_registry_auth(const ApiClient& client, const std::string& image) {
  const DockerConfig config = TRY(DockerConfig::load(DockerConfig::default_path()));
  const std::string registry = registry_of_image(image);
  const auto found = TRY(config.find(registry));
  if (!found) return client;
  return client.with_header("X-Registry-Auth",
                            base64(registry_auth_json(*found, credentials_key(registry))));
}

Result<ApiClient> with_registry_config(const ApiClient& client) {
  const DockerConfig config = TRY(DockerConfig::load(DockerConfig::default_path()));
  JsonObject all;
  for (const auto& [key, credentials] : TRY(config.all()))
    all.add_json(key, registry_auth_json(credentials, key));
  if (all.empty()) return client;
  return client.with_header("X-Registry-Config", base64(all.text()));
}

ImageName split_image_name(const std::string& reference) {
  if (const std::size_t at = reference.find('@'); at != std::string::npos)
    return {reference.substr(0, at), reference.substr(at + 1), true};
  const std::size_t colon = reference.rfind(':');
  if (colon == std::string::npos || reference.find('/', colon) != std::string::npos)
    return {reference, ""};
  return {reference.substr(0, colon), reference.substr(colon + 1)};
}

std::string full_image_name(const std::string& name) {
  if (registry_of_image(name) != "docker.io") return name;
  std::string path = name;
  for (const char* prefix : {"docker.io/", "index.docker.io/"}) {
    if (path.starts_with(prefix)) path = path.substr(std::string_view(prefix).size());
  }
  return (path.find('/') == std::string::npos ? "docker.io/library/" : "docker.io/") + path;
}

Result<BodyStream> begin_pull(const ApiClient& client, const std::string& reference,
                              const std::string& platform, bool all_tags) {
  ImageName image = split_image_name(reference);
  if (image.tag.empty() && !all_tags) image.tag = "latest";
  const ApiClient authorised = TRY(with_registry_auth(client, image.name));
  std::string target = fmt::format("{}/images/create?fromImage={}", kApi, url_encode(image.name));
  if (!image.tag.empty()) target += "&tag=" + url_encode(image.tag);
  if (!platform.empty()) target += "&platform=" + url_encode(platform);
  return authorised.stream("POST", target);
}

Result<BodyStream> begin_push(const ApiClient& client, const std::string& reference,
                              bool all_tags) {
  ImageName image = split_image_name(reference);
  if (image.digest) return Error::invalid("cannot push a digest reference");
  if (image.tag.empty() && !all_tags) image.tag = "latest";
  const ApiClient authorised = TRY(with_registry_auth(client, image.name));
  std::string target = fmt::format("{}/images/{}/push", kApi, url_encode(image.name));
  if (!image.tag.empty()) target += "?tag=" + url_encode(image.tag);
  return authorised.stream("POST", target);
}

}  // namespace stack::cli
