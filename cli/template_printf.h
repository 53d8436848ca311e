// printf of --format templates.
#pragma once

#include "cli/template_functions.h"

namespace stack::cli {

// The first argument is the format: %s %v %q %d %x %X %o %b %c %t %f %e %g %%, with the flags
// `-`, `+`, `0`, ` `, `#`, width and precision. A verb that does not fit its value is shown as Go
// shows it, "%!d(string=x)".
Result<TemplateValue> template_printf(const std::vector<TemplateValue>& args);

}  // namespace stack::cli
