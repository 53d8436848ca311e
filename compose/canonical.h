// Rewrites a validated file into long form: ports and volumes become maps, "KEY=value" lists become
// maps, a single string becomes a list of one, command lines are split. Nothing is filled in that
// the user did not say, so that files can still be merged.
#pragma once

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

void canonicalise(Node& root, Report& report);

// "[[IP:][HOST]:]CONTAINER[/PROTO]" to long-form ports, one for each port of a range. `path` is for
// messages.
std::vector<Node> parse_port(const Node& item, const std::string& path, Report& report);
// "[SOURCE:]TARGET[:OPTIONS]"
Node parse_mount(const Node& item, const std::string& path, Report& report);
// "SOURCE[:TARGET[:PERMISSIONS]]"
Node parse_device(const Node& item, Report& report);

}  // namespace stack::compose
