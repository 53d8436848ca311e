// --format templates: the part of Go's text/template that users of Docker's tools type, applied to
// the engine's documents and to the rows of lists. Pure.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/json.h"

namespace stack::cli {

struct TemplateNode;

// A row's methods: {{.Label "name"}}. nullopt when there is no such method.
using TemplateMethod = std::function<std::optional<std::string>(
    std::string_view name, const std::vector<std::string>& args)>;

struct TemplateData {
  const Json* dot = nullptr;
  TemplateMethod method = {};      // of the dot that execution begins with
  std::string_view dot_json = {};  // what {{json .}} prints for it; empty: its JSON
};

class Template {
 public:
  static Result<Template> parse(std::string_view text);
  // A field that the data do not have, or a function that does not fit its arguments, is an error
  // that names it.
  Result<std::string> execute(const TemplateData& data) const;

 private:
  std::shared_ptr<const std::vector<TemplateNode>> nodes_;
};

}  // namespace stack::cli
