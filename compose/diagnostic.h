// What the loader has to say about a place in a file, and how it looks to a person and to an
// editor.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace stack::compose {

struct Diagnostic {
  // Notes are for `config --diagnostics` alone; warnings are shown by every command.
  enum class Severity { kNote, kWarning, kError };
  Severity severity = Severity::kError;
  SourceLoc where;                 // line 0: no place in a file; columns count characters
  int end_column = 0;              // behind the last character of the word at `where`
  std::string code;                // of a fixed set, see docs/diagnostics.md: "unknown-key"
  std::string message;             // names the object by its dotted path; no full stop
  std::string hint;                // the nearest valid name, or what to do; may be empty
  std::string excerpt;             // the source line, or of a long one the part around the word
  int excerpt_column = 0;          // the word's in the excerpt
  std::vector<std::string> chain;  // "included by compose.yaml:3:5", innermost first

  bool operator==(const Diagnostic&) const = default;
};

// "file:line:column: message", the source line with the word underlined, the chain and the hint,
// each on lines of its own; no newline at the end. What is not an error says so: "warning: ".
std::string render(const Diagnostic& diagnostic);

// Those from `least` on, a line end after each. Of several with the same message the first is shown
// in full, the others as "also at file:line:column".
std::string render(const std::vector<Diagnostic>& diagnostics, Diagnostic::Severity least);

// A JSON array of {file,line,column,endColumn,severity,code,message,hint,chain}, indented, with a
// line end. What has no place has file "" and line 0.
std::string to_json(const std::vector<Diagnostic>& diagnostics);

}  // namespace stack::compose
