// -e K=V and -e K as exec and run take them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::cli {

// A bare K gets its value from our own environment; without one there it is left out.
std::vector<std::string> resolved_environment(const std::vector<std::string>& entries);

// The lines of an --env-file or --label-file of Docker's: KEY=VALUE taken as they are, a bare KEY
// with our value (left out without one), comments after '#'.
Result<std::vector<std::string>> lines_of_env_file(const std::string& path);

// The words of a command written as one text (--entrypoint), with shell quoting.
Result<std::vector<std::string>> shell_words(std::string_view text);

}  // namespace stack::cli
