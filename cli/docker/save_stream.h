// An answer of the engine into a file or to stdout: `save`, `export`.
#pragma once

#include <string>

#include "base/error.h"
#include "cli/api_client.h"

namespace stack::cli::docker {

// `path` empty: to stdout, which must not be a terminal. A file appears whole or not at all.
// An error of the request is passed on.
Status save_stream(Result<BodyStream> answer, const std::string& path);
// Before the engine is asked: stdout is a terminal and there is no file.
Status check_save_target(const std::string& path);

}  // namespace stack::cli::docker
