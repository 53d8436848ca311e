// The syntax of one joined instruction. Private to the Dockerfile parser.
#pragma once

#include "images/dockerfile.h"

namespace stack::images {

// Here-documents are announced in `heredocs` (name, expand; content is "-" for <<-); their bodies
// are read by the caller.
Result<Instruction> parse_logical(const std::string& text, const SourceLoc& where, char escape);
// Adds place, source line and caret.
Error located(Error error, const SourceLoc& where, std::string_view source);

inline std::string_view trim_tabs(std::string_view text) {
  while (!text.empty() && text.front() == '\t') text.remove_prefix(1);
  return text;
}

}  // namespace stack::images
