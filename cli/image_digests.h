// Pinning the images of a project: `config --resolve-image-digests` and `--lock-image-digests`.
#pragma once

#include <string>

#include "cli/context.h"

namespace stack::cli {

// Replaces every service's image by NAME:TAG@DIGEST, as its registry has it now.
Status resolve_image_digests(Context& context, compose::Project& project);

// An override file with nothing but the images.
std::string image_override(const compose::Project& project);

}  // namespace stack::cli
