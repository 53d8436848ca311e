// Documents of named objects, indented or through a template: what every `inspect` does.
#pragma once

#include <functional>
#include <string>

#include "cli/context.h"
#include "cli/document.h"

namespace stack::cli::docker {

using Finder = std::function<Result<Document>(const Engine&, const std::string& name)>;

// Shows what is found of args.positional as --format asks; names that are not found are reported
// after it. 1 when any was not found.
Result<int> inspect_each(Context& context, const Arguments& args, const Finder& find);

}  // namespace stack::cli::docker
