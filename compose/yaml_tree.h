// YAML text to positioned trees, one a document. Aliases and merge keys are resolved; duplicate
// keys, keys that are not strings, undefined and self-containing aliases, and aliases that multiply
// beyond a bound are errors. After an error the next document is read. yaml-cpp stays inside.
#pragma once

#include <string>
#include <vector>

#include "compose/node.h"
#include "compose/report.h"

namespace stack::compose {

// `file` is the number of the text in the report's sources. Empty documents are left out.
// `shorten`: by words (yaml_words.h), which changes nothing but the time it takes.
std::vector<Node> parse_yaml(std::int32_t file, Report& report, bool shorten = true);

}  // namespace stack::compose
