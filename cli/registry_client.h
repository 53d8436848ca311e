// What commands that speak to registries share: who the user is there, and names of images.
#pragma once

#include <string>

#include "cli/engine_api.h"

namespace stack::cli {

// The engine's client with X-Registry-Auth for the registry of this image, out of the user's
// ~/.docker/config.json.
Result<ApiClient> with_registry_auth(const ApiClient& client, const std::string& image);
// The same with X-Registry-Config for every registry the user is logged in to: for builds.
Result<ApiClient> with_registry_config(const ApiClient& client);

// "localhost:5000/a/b:tag" is {"localhost:5000/a/b", "tag"}; a digest is the second part too.
struct ImageName {
  std::string name;
  std::string tag;
  bool digest = false;
};
ImageName split_image_name(const std::string& reference);
// "nginx" is docker.io/library/nginx.
std::string full_image_name(const std::string& name);

// POST /images/create and /images/NAME/push: the stream of messages.
Result<BodyStream> begin_pull(const ApiClient& client, const std::string& reference,
                              const std::string& platform, bool all_tags = false);
Result<BodyStream> begin_push(const ApiClient& client, const std::string& reference,
                              bool all_tags = false);

}  // namespace stack::cli
