// Signals as people write them. Pure.
#pragma once

#include <string>

#include "base/error.h"

namespace stack {

// "10", "SIGTERM", "term" to a number; empty is SIGTERM. kInvalid "invalid signal: x".
Result<int> parse_signal(const std::string& text);

}  // namespace stack
