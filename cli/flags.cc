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

namespace {

// The values of one command line, taken word by word.
class FlagReader {
 public:
  FlagReader(std::span<const FlagSpec> flags, std::span<const std::string> words,
             std::map<std::string, std::vector<std::string>, std::less<>>& values)
      : flags_(flags), words_(words), values_(values) {}

  const std::string* next() { return at_ < words_.size() ? &words_[at_++] : nullptr; }
  std::span<const std::string> rest() const { return words_.subspan(at_); }

  // "--name", "--name=value", "--name value"
  Status read_long(const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const FlagSpec* flag = find_long(flags_, name);
    if (flag == nullptr) return unknown_flag(flags_, name);
    if (equals != std::string::npos) return store(*flag, word.substr(equals + 1));
    if (flag->type == FlagType::kBool) return store(*flag, "true");
    if (const std::string* value = next()) return store(*flag, *value);
    return Error::invalid(fmt::format("flag needs an argument: --{}", name));
  }

  // "-a", "-abc", "-n5", "-n=5", "-n 5"
  Status read_short(const std::string& word) {
    for (std::size_t at = 1; at < word.size(); ++at) {
      const FlagSpec* flag = find_short(flags_, word[at]);
      if (flag == nullptr)
        return Error::invalid(fmt::format("unknown shorthand flag: '{}' in {}", word[at], word));
      const bool last = at + 1 == word.size();
      if (!last && word[at + 1] == '=') return store(*flag, word.substr(at + 2));
      if (flag->type == FlagType::kBool) {
        TRY(store(*flag, "true"));
        continue;
      }
      if (!last) return store(*flag, word.substr(at + 1));
      if (const std::string* value = next()) return store(*flag, *value);
      return Error::invalid(fmt::format("flag needs an argument: '{}' in {}", word[at], word));
    }
    return ok_status();
  }

 private:
  Status store(const FlagSpec& flag, std::string value) {
    TRY(check_value(flag, value));
    values_[std::string(flag.name)].push_back(std::move(value));
    return ok_status();
  }

  std::span<const FlagSpec> flags_;
  std::span<const std::string> words_;
  std::map<std::string, std::vector<std::string>, std::less<>>& values_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Arguments> parse_flags(std::span<const FlagSpec> flags, std::span<const std::string> args,
                              bool interspersed) {
  Arguments out;
  for (const FlagSpec& flag : flags) {
    if (!flag.default_value.empty()) out.defaults_.emplace(flag.name, flag.default_value);
  }
  FlagReader reader(flags, args, out.values_);
  bool only_words = false;
  while (const std::string* word = reader.next()) {
    if (*word == "--") {
      only_words = true;
    } else if (word->size() < 2 || word->front() != '-') {
      out.positional.push_back(*word);
      only_words = !interspersed;
    } else if ((*word)[1] == '-') {
      TRY(reader.read_long(*word));
    } else {
      TRY(reader.read_short(*word));
    }
    if (!only_words) continue;
    const auto rest = reader.rest();
    out.positional.insert(out.positional.end(), rest.begin(), rest.end());
    break;
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
