// -e K=V and -e K as exec and run take them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::cli {

// A bare K gets its value from our own environment; without one there it is left out.
std::vector<std::string> resolved_environment(const std::vector<std::string>& entries);

// The words of a command written as one text (--entrypoint), with shell quoting.
Result<std::vector<std::string>> shell_words(std::string_view text);

}  // namespace stack::cli
