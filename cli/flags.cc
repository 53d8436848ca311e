#include "cli/flags.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace stack::cli {

namespace {

const FlagSpec* find_long(std::span<const FlagSpec> flags, std::string_view name) {
  for (const FlagSpec& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

const FlagSpec* find_short(std::span<const FlagSpec> flags, char letter) {
  for (const FlagSpec& flag : flags) {
    if (flag.shorthand == letter) return &flag;
  }
  return nullptr;
}

std::string shown_name(const FlagSpec& flag) {
  if (flag.shorthand != 0) return fmt::format("-{}, --{}", flag.shorthand, flag.name);
  return fmt::format("--{}", flag.name);
}

std::optional<long> parse_int(std::string_view text) {
  long value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status check_value(const FlagSpec& flag, const std::string& value) {
  if (flag.type == FlagType::kFilters && value.find('=') == std::string::npos) {
    return Error::invalid(
               fmt::format("invalid argument \"{}\" for \"{}\" flag: bad format of filter "
                           "(expected name=value)",
                           value, shown_name(flag)))
        .fix("For example: --filter label=com.example.tier=web");
  }
  const char* parser = nullptr;
  if (flag.type == FlagType::kInt && !parse_int(value)) parser = "ParseInt";
  if (flag.type == FlagType::kBool && !parse_bool(value)) parser = "ParseBool";
  if (parser == nullptr) return ok_status();
  return Error::invalid(fmt::format("invalid argument \"{}\" for \"{}\" flag: strconv.{}: parsing "
                                    "\"{}\": invalid syntax",
                                    value, shown_name(flag), parser, value))
      .fix(flag.type == FlagType::kInt ? "Give a whole number." : "Give true or false.");
}

std::string_view type_word(FlagType type) {
  switch (type) {
    case FlagType::kBool:
      return "";
    case FlagType::kString:
      return "string";
    case FlagType::kList:
      return "stringArray";
    case FlagType::kInt:
      return "int";
    case FlagType::kFilters:
      return "filter";
  }
  return "";
}

Error unknown_flag(std::span<const FlagSpec> flags, std::string_view name) {
  std::vector<std::string> names;
  for (const FlagSpec& flag : flags) names.emplace_back(flag.name);
  Error error = Error::invalid(fmt::format("unknown flag: --{}", name));
  if (const auto near = nearest(name, names))
    error.remedy = fmt::format("Did you mean --{}?", *near);
  return error;
}

// Insertions, deletions, substitutions and swaps of neighbours, one each.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, substituted});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

bool Arguments::on(std::string_view flag) const { return parse_bool(text(flag)).value_or(false); }

std::string Arguments::text(std::string_view flag) const {
  if (const auto found = values_.find(flag); found != values_.end()) return found->second.back();
  if (const auto found = defaults_.find(flag); found != defaults_.end()) return found->second;
  return "";
}

std::vector<std::string> Arguments::list(std::string_view flag) const {
  const auto found = values_.find(flag);
  return found != values_.end() ? found->second : std::vector<std::string>{};
}

std::optional<long> Arguments::number(std::string_view flag) const { return parse_int(text(flag)); }

std::optional<bool> parse_bool(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

Result<Arguments> parse_flags(std::span<const FlagSpec> flags, std::span<const std::string> args,
                              bool interspersed) {
  Arguments out;
  for (const FlagSpec& flag : flags) {
    if (!flag.default_value.empty()) out.defaults_.emplace(flag.name, flag.default_value);
  }
  const auto store = [&out](const FlagSpec& flag, std::string value) -> Status {
    TRY(check_value(flag, value));
    out.values_[std::string(flag.name)].push_back(std::move(value));
    return ok_status();
  };
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--") {
      out.positional.insert(out.positional.end(), args.begin() + static_cast<long>(i) + 1,
                            args.end());
      break;
    }
    if (arg.size() < 2 || arg[0] != '-') {
      out.positional.push_back(arg);
      if (!interspersed) {
        out.positional.insert(out.positional.end(), args.begin() + static_cast<long>(i) + 1,
                              args.end());
        break;
      }
      continue;
    }
    if (arg[1] == '-') {
      const std::size_t equals = arg.find('=');
      const std::string name = arg.substr(2, equals == std::string::npos ? equals : equals - 2);
      const FlagSpec* flag = find_long(flags, name);
      if (flag == nullptr) return unknown_flag(flags, name);
      if (equals != std::string::npos) {
        TRY(store(*flag, arg.substr(equals + 1)));
      } else if (flag->type == FlagType::kBool) {
        TRY(store(*flag, "true"));
      } else if (i + 1 < args.size()) {
        TRY(store(*flag, args[++i]));
      } else {
        return Error::invalid(fmt::format("flag needs an argument: --{}", name));
      }
      continue;
    }
    for (std::size_t at = 1; at < arg.size(); ++at) {
      const FlagSpec* flag = find_short(flags, arg[at]);
      if (flag == nullptr) {
        return Error::invalid(fmt::format("unknown shorthand flag: '{}' in {}", arg[at], arg));
      }
      if (flag->type == FlagType::kBool) {
        if (at + 1 < arg.size() && arg[at + 1] == '=') {
          TRY(store(*flag, arg.substr(at + 2)));
          break;
        }
        TRY(store(*flag, "true"));
        continue;
      }
      if (at + 1 < arg.size()) {
        const std::size_t from = arg[at + 1] == '=' ? at + 2 : at + 1;
        TRY(store(*flag, arg.substr(from)));
      } else if (i + 1 < args.size()) {
        TRY(store(*flag, args[++i]));
      } else {
        return Error::invalid(fmt::format("flag needs an argument: '{}' in {}", arg[at], arg));
      }
      break;
    }
  }
  return out;
}

std::string flag_help(std::span<const FlagSpec> flags) {
  std::vector<std::pair<std::string, std::string>> rows;
  std::size_t width = 0;
  for (const FlagSpec& flag : flags) {
    if (flag.hidden) continue;
    std::string left = flag.shorthand != 0 ? fmt::format("  -{}, --{}", flag.shorthand, flag.name)
                                           : fmt::format("      --{}", flag.name);
    if (const auto word = type_word(flag.type); !word.empty()) left += fmt::format(" {}", word);
    std::string right(flag.usage);
    if (!flag.default_value.empty()) {
      right += flag.type == FlagType::kString ? fmt::format(" (default \"{}\")", flag.default_value)
                                              : fmt::format(" (default {})", flag.default_value);
    }
    width = std::max(width, left.size());
    rows.emplace_back(std::move(left), std::move(right));
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::string_view(a.first).substr(a.first.find("--")) <
           std::string_view(b.first).substr(b.first.find("--"));
  });
  constexpr std::size_t kColumns = 80;
  std::string out;
  for (const auto& [left, right] : rows) {
    std::string line = fmt::format("{:<{}}   ", left, width);
    const std::size_t indent = line.size();
    std::size_t used = indent;
    std::string_view rest = right;
    bool first = true;
    while (!rest.empty()) {
      const std::size_t space = rest.find(' ');
      const std::string_view word = rest.substr(0, space);
      if (!first && used + 1 + word.size() > kColumns) {
        line += '\n' + std::string(indent, ' ');
        used = indent;
        first = true;
      }
      if (!first) line += ' ', ++used;
      line += word;
      used += word.size();
      first = false;
      rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
    }
    out += line + '\n';
  }
  return out;
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace stack::cli
