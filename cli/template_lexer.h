// Words of what stands between {{ and }}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::cli {

struct TemplateToken {
  enum class Kind {
    kWord,      // a function or keyword
    kField,     // .Name (text without the dot); a lone dot has no text
    kVariable,  // $ or $name, text with the $
    kString,    // text is the value
    kNumber,
    kCharacter,  // text is the code point in decimal
    kSymbol,     // ( ) | , := =
    kSpace,
  };
  Kind kind = Kind::kSpace;
  std::string text;
  std::string source;

  bool is(Kind wanted, std::string_view wanted_text) const {
    return kind == wanted && text == wanted_text;
  }
};

Result<std::vector<TemplateToken>> lex_template_action(std::string_view action, std::size_t line);

// Where the action that begins at `from` (behind "{{") ends: the position of its "}}", which quoted
// text cannot close; npos when it has no end.
std::size_t template_action_end(std::string_view text, std::size_t from);

}  // namespace stack::cli
