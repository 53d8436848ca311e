// How `ps` shows a container.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/engine_api.h"
#include "cli/format.h"

namespace stack::cli {

// ", 3 restarts: exited (137), restart policy always"; empty for a container that was never
// restarted.
std::string restarts_text(const Container& container);

// "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"; neighbouring ports that map to themselves become a
// range.
std::string ports_text(std::vector<PublishedPort> ports);

Record ps_record(const Container& container, WallTime now, bool truncate);
std::vector<Column> ps_columns();

}  // namespace stack::cli
