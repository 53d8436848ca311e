// Command-line flags with the grammar and the error texts of Docker's tools (pflag): --name value,
// --name=value, -n value, -nvalue, -abc for switches, `--` ends flags. A command that runs another
// program stops at its first argument
// (`interspersed` false), so that `exec web ls -l` gives -l to ls.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::cli {

enum class FlagType { kBool, kString, kList, kInt, kFilters };  // kFilters: a list of name=value

struct FlagSpec {
  std::string_view name;
  char shorthand = 0;
  FlagType type = FlagType::kBool;
  std::string_view usage = {};
  std::string_view default_value = {};  // shown in the help; flags not given answer with it
  bool hidden = false;
};

// What the user wrote. Asking for a flag that the command does not declare answers "not given".
class Arguments {
 public:
  bool given(std::string_view flag) const { return values_.find(flag) != values_.end(); }
  bool on(std::string_view flag) const;
  std::string text(std::string_view flag) const;  // the last one, or the default
  std::vector<std::string> list(std::string_view flag) const;
  std::optional<long> number(std::string_view flag) const;

  std::vector<std::string> positional;

 private:
  friend Result<Arguments> parse_flags(std::span<const FlagSpec>, std::span<const std::string>,
                                       bool);
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> defaults_;
};

Result<Arguments> parse_flags(std::span<const FlagSpec> flags, std::span<const std::string> args,
                              bool interspersed);

// The aligned list of a help page, wrapped to 80 columns.
std::string flag_help(std::span<const FlagSpec> flags);

// The candidate with the smallest edit distance, if it is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False.
std::optional<bool> parse_bool(std::string_view text);

}  // namespace stack::cli
