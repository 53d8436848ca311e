// The functions of --format templates: those of Go's text/template and those that Docker adds
// (json, split, join, title, lower, upper, pad, truncate).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/json.h"

namespace stack::cli {

// A JSON value, and what Go's type of it would say more. The engine's documents do not tell a
// struct from a map nor an empty list from none, but they print differently.
struct TemplateValue {
  Json json;
  bool is_map = false;   // keys are data (labels, options): a missing one is no mistake
  bool missing = false;  // no such key in a map: prints "<no value>"
  bool is_nil = false;   // an empty list or map that is null in the document
};

bool is_template_function(std::string_view name);

// Everything but `and` and `or`, which look at their arguments one by one.
Result<TemplateValue> call_template_function(std::string_view name,
                                             const std::vector<TemplateValue>& args);

// Go's notion of a value that counts as true: not empty, not zero, not false, not nil.
bool template_truth(const TemplateValue& value);

// As {{.}} prints it: "text", "[a b]", "map[k:v]", "{v w}", "<no value>".
std::string template_text(const TemplateValue& value);

// Compact JSON in the spelling of Go's encoder without HTML escapes.
std::string compact_json(const Json& json);

}  // namespace stack::cli
