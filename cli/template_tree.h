// The syntax tree of a --format template: Go's text/template without template definitions.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/json.h"

namespace stack::cli {

struct TemplatePipeline;

// One word of a command: `.`, `.Name`, `$x`, a literal, a function's name or a pipeline in
// parentheses; each may be followed by `.Field.Field`.
struct TemplateOperand {
  enum class Kind { kDot, kVariable, kLiteral, kFunction, kPipeline };
  Kind kind = Kind::kDot;
  std::string name;  // of the variable (with $) or the function
  Json literal;
  std::shared_ptr<const TemplatePipeline> pipeline;
  std::vector<std::string> fields;
  std::string source;  // as written, for messages
};

struct TemplatePipeline {
  std::vector<std::string> variables;  // declared or assigned by it
  bool declares = false;
  std::vector<std::vector<TemplateOperand>> commands;
};

struct TemplateNode {
  enum class Kind { kText, kAction, kIf, kRange, kWith, kBreak, kContinue };
  Kind kind = Kind::kText;
  std::string text;
  TemplatePipeline pipeline;
  std::vector<TemplateNode> body;
  std::vector<TemplateNode> otherwise;
  std::size_t line = 1;
  std::size_t column = 0;  // from 0, as Go counts
};

Result<std::vector<TemplateNode>> parse_template(std::string_view text);

// "template parsing error: template: :LINE: ..."
Error template_error(std::size_t line, std::string_view what);

}  // namespace stack::cli
