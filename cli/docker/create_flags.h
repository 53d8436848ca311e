// The flags that `run` and `create` share.
#pragma once

#include "cli/flags.h"

namespace stack::cli::docker {

extern const FlagSpec kCreateFlags[99];

}  // namespace stack::cli::docker
