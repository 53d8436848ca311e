// Pushing the images that services build: `push`, and `build --push`.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "compose/project.h"

namespace stack::cli {

struct PushOptions {
  bool quiet = false;
  bool ignore_failures = false;
  bool show_skipped = true;  // services whose image has no name of its own, or is not built
};

Status push_images(Context& context, const compose::Project& project,
                   const std::vector<std::string>& names, const PushOptions& how);

}  // namespace stack::cli
