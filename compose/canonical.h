// Rewrites a validated tree into the long forms that later files are merged over: ports and volumes
// become maps, names of networks and dependencies keys, a path to build a context. What is in long
// form already stays as it is. The rest of the short forms go when all files are read (unfold.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compose/node.h"
#include "compose/path.h"
#include "compose/report.h"

namespace stack::compose {

// `lenient`: variables are not replaced; what cannot be read for that reason stays as it is.
void canonicalise(Node& root, bool lenient, Report& report);

// Reports values that have no long form, in a tree that is not validated otherwise.
void check_forms(Node& root, Report& report);

// "[[IP:][HOST]:]CONTAINER[/PROTO]" to long-form ports, one for each port of a range. `path` is for
// messages.
std::vector<Node> parse_port(const Node& item, const Path& path, Report& report);
// "[SOURCE:]TARGET[:OPTIONS]"
Node parse_mount(const Node& item, const Path& path, Report& report);
// Its target as written; nothing after an error.
std::optional<std::string> mount_target(const Node& item, const Path& path, Report& report);
// "SOURCE[:TARGET[:PERMISSIONS]]"
Node parse_device(const Node& item, Report& report);

}  // namespace stack::compose
