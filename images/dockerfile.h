// Dockerfile syntax: text in, instructions with positions out. Pure. Knows parser directives
// (syntax, escape, check), comments, line continuation, heredocs (RUN, COPY, ADD), JSON and shell
// forms, flags, and variable expansion as the builder does it. Errors are kInvalid with
// file:line:column; the message ends with the source line and a caret below the place.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::images {

struct Heredoc {
  std::string name;     // the word after <<
  std::string content;  // tabs stripped for <<-
  bool expand = true;   // false when the word was quoted
};

struct Flag {
  std::string name;  // without "--"
  std::string value;
  SourceLoc where;
};

struct Instruction {
  std::string name;      // upper case: "RUN"
  std::string text;      // the arguments with continuations joined: what history shows
  std::string original;  // the whole instruction, joined, with its name and flags
  std::vector<Flag> flags;
  std::vector<std::string>
      args;  // words, or the elements of the JSON form; for ENV, LABEL, ARG "K=V" (or "K")
  bool json_form = false;
  std::vector<Heredoc> heredocs;
  SourceLoc where;
  int end_line = 0;

  const Flag* flag(std::string_view flag_name) const;
};

struct Stage {
  Instruction from;
  std::string base;      // unexpanded
  std::string name;      // AS name, lower case; may be empty
  std::string platform;  // --platform, unexpanded
  std::vector<Instruction> instructions;
};

struct Dockerfile {
  std::string file;  // name for messages
  std::string source;
  std::map<std::string, std::string> directives;
  std::vector<Instruction> global_args;  // ARG before the first FROM
  std::vector<Stage> stages;
  std::vector<std::string> warnings;
};

Result<Dockerfile> parse_dockerfile(std::string_view text, const std::string& file_name);
// Instructions without FROM, as ONBUILD triggers use them ...
Result<Instruction> parse_instruction(std::string_view text, const std::string& file_name);
// ... and docker import/commit --change, with any number of lines.
Result<std::vector<Instruction>> parse_instructions(std::string_view text,
                                                    const std::string& file_name);

using VariableLookup = std::function<std::optional<std::string>(std::string_view name)>;
// $x ${x} ${x:-w} ${x-w} ${x:+w} ${x+w} ${x:?w} ${x?w} ${x#p} ${x##p} ${x%p} ${x%%p} ${x/p/r}
// ${x//p/r}, quotes and escapes. expand_word removes quotes and keeps one word; expand_words splits
// unquoted white space.
Result<std::string> expand_word(std::string_view text, const VariableLookup& lookup,
                                char escape = '\\');
Result<std::vector<std::string>> expand_words(std::string_view text, const VariableLookup& lookup,
                                              char escape = '\\');

// The line of `source` at `where` with a caret below it.
std::string caret(std::string_view source, const SourceLoc& where);

}  // namespace stack::images
