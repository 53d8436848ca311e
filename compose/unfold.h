// Rewrites a merged tree so that it can be read into the model: "KEY=value" lists become maps, a
// single string becomes a list of one, command lines are split, numbers become the strings they
// stand for.
#pragma once

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

void unfold(Node& root, Report& report);

}  // namespace stack::compose
