// What the loader has to say about a place in a Compose file, and how it looks to a person.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace stack::compose {

struct Diagnostic {
  enum class Severity { kWarning, kError };
  Severity severity = Severity::kError;
  SourceLoc where;                 // line 0: no place in a file
  std::string message;             // names the object by its dotted path; no full stop
  std::string hint;                // the nearest valid name, or what to do; may be empty
  std::string excerpt;             // the source line; empty when the text is not at hand
  std::vector<std::string> chain;  // "extended from web at compose.yaml:3:5", innermost first

  bool operator==(const Diagnostic&) const = default;
};

// "file:line:col: message", the source line with a caret under the column, the chain and the hint,
// each on lines of its own; no newline at the end. Warnings begin with "warning: ".
std::string render(const Diagnostic& diagnostic);

}  // namespace stack::compose
