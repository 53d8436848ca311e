#include "compose/units.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace stack::compose {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  std::size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  while (i < text.size() && (is_digit(text[i]) || text[i] == '.')) ++i;
  const std::string number(text.substr(0, i));
  std::string_view rest = text.substr(i);
  if (number.empty() || number.find_first_of("0123456789") == std::string::npos ||
      std::count(number.begin(), number.end(), '.') > 1) {
    return Error::invalid(fmt::format("invalid size: '{}'", text));
  }
  if (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
  std::string unit = lower(rest);
  double factor = 1;
  if (!unit.empty()) {
    constexpr std::string_view kPrefixes = "kmgtp";
    const std::size_t power = kPrefixes.find(unit[0]);
    std::string_view tail = unit;
    if (power != std::string_view::npos) {
      factor = std::pow(1024.0, static_cast<double>(power) + 1);
      tail.remove_prefix(1);
      if (tail == "ib") tail = "b";
    }
    if (!tail.empty() && tail != "b") {
      return Error::invalid(fmt::format("invalid suffix: '{}'", rest));
    }
  }
  const double value = std::strtod(number.c_str(), nullptr);
  if (value < 0 && text != "-1") return Error::invalid(fmt::format("invalid size: '{}'", text));
  if (value * factor > 9.2e18) return Error::invalid(fmt::format("invalid size: '{}'", text));
  return static_cast<Bytes>(value * factor);
}

namespace {

struct DurationUnit {
  std::string_view name;
  double ns;
};
constexpr std::array<DurationUnit, 10> kDurationUnits{{{"ns", 1},
                                                       {"us", 1e3},
                                                       {"µs", 1e3},
                                                       {"μs", 1e3},
                                                       {"ms", 1e6},
                                                       {"s", 1e9},
                                                       {"m", 60e9},
                                                       {"h", 3600e9},
                                                       {"d", 86400e9},
                                                       {"w", 604800e9}}};

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  std::string_view t = text;
  bool negative = false;
  if (!t.empty() && (t[0] == '-' || t[0] == '+')) {
    negative = t[0] == '-';
    t.remove_prefix(1);
  }
  if (t == "0") return Duration(0);
  if (t.empty()) return Error::invalid(fmt::format("time: invalid duration \"{}\"", text));
  long double total = 0;
  while (!t.empty()) {
    std::size_t i = 0;
    while (i < t.size() && (is_digit(t[i]) || t[i] == '.')) ++i;
    const std::string number(t.substr(0, i));
    if (number.find_first_of("0123456789") == std::string::npos) {
      return Error::invalid(fmt::format("time: invalid duration \"{}\"", text));
    }
    t.remove_prefix(i);
    std::size_t end = 0;
    while (end < t.size() && !is_digit(t[end]) && t[end] != '.') ++end;
    const std::string_view name = t.substr(0, end);
    if (name.empty()) {
      return Error::invalid(fmt::format("time: missing unit in duration \"{}\"", text));
    }
    const auto unit = std::find_if(kDurationUnits.begin(), kDurationUnits.end(),
                                   [&](const DurationUnit& u) { return u.name == name; });
    if (unit == kDurationUnits.end()) {
      return Error::invalid(
          fmt::format("time: unknown unit \"{}\" in duration \"{}\"", name, text));
    }
    total += std::strtold(number.c_str(), nullptr) * static_cast<long double>(unit->ns);
    t.remove_prefix(end);
  }
  if (total > 9.2e18L) return Error::invalid(fmt::format("time: invalid duration \"{}\"", text));
  const auto ns = static_cast<std::int64_t>(std::llround(total));
  return Duration(negative ? -ns : ns);
}

std::string duration_text(Duration duration) {
  const std::int64_t count = duration.count();
  if (count == 0) return "0s";
  const bool negative = count < 0;
  const std::uint64_t ns =
      negative ? 0U - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  const auto decimal = [](std::uint64_t value, std::uint64_t unit, const char* name) {
    std::string out = std::to_string(value / unit);
    if (value % unit != 0) {
      std::string fraction = std::to_string(unit + value % unit).substr(1);
      fraction.erase(fraction.find_last_not_of('0') + 1);
      out += "." + fraction;
    }
    return out + name;
  };
  std::string out = negative ? "-" : "";
  if (ns < 1'000) return out + decimal(ns, 1, "ns");
  if (ns < 1'000'000) return out + decimal(ns, 1'000, "µs");
  if (ns < 1'000'000'000) return out + decimal(ns, 1'000'000, "ms");
  constexpr std::uint64_t kMinute = 60'000'000'000;
  const std::uint64_t minutes = ns / kMinute;
  if (minutes >= 60) out += std::to_string(minutes / 60) + "h";
  if (minutes > 0) out += std::to_string(minutes % 60) + "m";
  return out + decimal(ns % kMinute, 1'000'000'000, "s");
}

std::optional<bool> parse_boolean(std::string_view text, bool* old_style) {
  const std::string t = lower(text);
  if (t == "true") return true;
  if (t == "false") return false;
  for (const char* word : {"y", "yes", "on", "n", "no", "off"}) {
    if (t != word) continue;
    if (old_style != nullptr) *old_style = true;
    return t == "y" || t == "yes" || t == "on";
  }
  return std::nullopt;
}

namespace {

// The words of a command line as a shell splits them, without expanding anything.
class CommandLine {
 public:
  explicit CommandLine(std::string_view text) : text_(text) {}

  // Up to the end, or to an operator that ends the first command. False: not a command line.
  bool read() {
    for (; at_ < text_.size() && !cut_; ++at_) {
      const char c = text_[at_];
      const bool fine = c == '\\' && quote_ != '\'' ? escaped()
                        : quote_ != 0               ? quoted(c)
                                                    : plain(c);
      if (!fine) return false;
    }
    if (in_word_) words_.push_back(std::move(word_));
    return quote_ == 0;
  }
  bool cut() const { return cut_; }
  std::vector<std::string> take() { return std::move(words_); }

 private:
  bool escaped() {
    if (at_ + 1 >= text_.size()) return false;
    word_ += text_[++at_];
    in_word_ = true;
    return true;
  }

  bool quoted(char c) {
    const bool kept = quote_ != '\'' && quote_ != '"';
    const char close = quote_ == '(' ? ')' : quote_;
    if (kept || c != close) word_ += c;
    if (c == close) quote_ = 0;
    return true;
  }

  bool plain(char c) {
    if (c == '\'' || c == '"') {
      quote_ = c;
      in_word_ = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (in_word_) words_.push_back(std::exchange(word_, {}));
      in_word_ = false;
    } else if (c == ';' || c == '&' || c == '|' || c == '<' || c == '>') {
      cut_ = true;
      // "2>file": the number belongs to the redirection.
      if (c == '>' && !word_.empty() && is_digit(word_[0])) in_word_ = false;
    } else {
      const bool group = c == '(';
      if ((group && (word_.empty() || word_.back() != '$')) || c == ')') return false;
      if (group || c == '`') quote_ = c;
      word_ += c;
      in_word_ = true;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
  bool cut_ = false;
  char quote_ = 0;  // ' " ` or ( for $(...), of which only the first two are taken away
};

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view text, bool* cut) {
  CommandLine line(text);
  if (!line.read()) return Error::invalid("invalid command line string");
  if (cut != nullptr && line.cut()) *cut = true;
  return line.take();
}

}  // namespace stack::compose
