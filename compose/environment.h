// Folds env_file into the environment of services and label_file into their labels.
#pragma once

#include "compose/loader.h"
#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// `root` is the canonical tree with absolute paths.
// The texts of the files with something to say about go to `sources`.
void resolve_environment(Project& project, const Node& root, const LoadOptions& options,
                         Sources& sources, Report& report);

}  // namespace stack::compose
