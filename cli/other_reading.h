// What to type when a word was taken for Compose's and fits only Docker's, or the other way round.
#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "cli/command_tree.h"
#include "cli/context.h"

namespace stack::cli {

// The flags that were refused are flags of the other command: says so in the remedy.
void add_other_flags(const Meaning& meaning, std::span<const std::string> args, Error& error);

// A name that was not found is known on the other side (a container, a service of some project, an
// image): says so in the remedy. Asks the engine.
void add_other_names(Context& context, const Meaning& meaning, const Arguments& args, Error& error);

}  // namespace stack::cli
