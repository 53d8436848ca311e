// The flags of `build` as a Compose project of one service (for a directory) and as the query of
// POST /build (for an archive).
#pragma once

#include <string>

#include "base/error.h"
#include "cli/flags.h"

namespace stack::cli::docker {

// Flags that cannot be honoured are an error that says so.
Status check_build_flags(const Arguments& args);

// The canonical project document. `dockerfile` is its text when it came from stdin.
Result<std::string> build_project(const Arguments& args, const std::string& directory,
                                  const std::string& dockerfile);

// "t=a&t=b&nocache=1..."
Result<std::string> build_query(const Arguments& args);

}  // namespace stack::cli::docker
