// `config --resolve-image-digests`: images of a project by the digests that their tags have now.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace stack::compose {
struct Project;
}

namespace stack::cli {

// Asks a registry, through the engine, for the digest of a reference such as
// "docker.io/library/nginx:1".
using DigestLookup = std::function<Result<std::string>(const std::string& reference)>;

// "nginx:1" to "docker.io/library/nginx@sha256:..."; what has a digest is not looked up.
Result<std::string> pinned_image(const std::string& image, const DigestLookup& lookup);
Status pin_images(compose::Project& project, const DigestLookup& lookup);

// Of the answer of GET /distribution/NAME/json.
Result<std::string> distribution_digest(const std::string& json);

}  // namespace stack::cli
