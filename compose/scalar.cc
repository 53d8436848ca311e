#include "compose/scalar.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace stack::compose {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool looks_like_float(std::string_view t) {
  std::size_t i = 0;
  if (i < t.size() && (t[i] == '-' || t[i] == '+')) ++i;
  const std::size_t whole = i;
  while (i < t.size() && is_digit(t[i])) ++i;
  const bool has_whole = i > whole;
  if (i < t.size() && t[i] == '.') {
    const std::size_t fraction = ++i;
    while (i < t.size() && is_digit(t[i])) ++i;
    if (!has_whole && i == fraction) return false;
  } else if (!has_whole) {
    return false;
  }
  if (i < t.size() && (t[i] == 'e' || t[i] == 'E')) {
    ++i;
    if (i < t.size() && (t[i] == '-' || t[i] == '+')) ++i;
    const std::size_t exponent = i;
    while (i < t.size() && is_digit(t[i])) ++i;
    if (i == exponent) return false;
  }
  return i == t.size();
}

template <typename T>
std::string shortest(T value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == 0) return "0";
  char buffer[64];
  const double magnitude = std::fabs(static_cast<double>(value));
  const bool plain = magnitude >= 1e-4 && magnitude < 1e21;
  const auto r = std::to_chars(buffer, buffer + sizeof buffer, value,
                               plain ? std::chars_format::fixed : std::chars_format::scientific);
  return {buffer, r.ptr};
}

bool one_of(std::string_view t, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), t) != words.end();
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::string without_underscores;
  std::string_view digits = text;
  if (text.find('_') != std::string_view::npos) {
    for (const char c : text) {
      if (c != '_') without_underscores += c;
    }
    digits = without_underscores;
  }
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.remove_prefix(1);
  }
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0' && std::strchr("xXoObB", digits[1]) != nullptr) {
    base = digits[1] == 'x' || digits[1] == 'X' ? 16 : digits[1] == 'b' || digits[1] == 'B' ? 2 : 8;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
    digits.remove_prefix(1);
  }
  std::uint64_t magnitude = 0;
  const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (digits.empty() || r.ec != std::errc() || r.ptr != digits.data() + digits.size()) {
    return std::nullopt;
  }
  constexpr auto kMax = static_cast<std::uint64_t>(INT64_MAX);
  if (magnitude > kMax + (negative ? 1U : 0U)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? 0U - magnitude : magnitude);
}

bool is_timestamp(std::string_view t) {
  if (t.size() < 8 || t[4] != '-' || !std::all_of(t.begin(), t.begin() + 4, is_digit) ||
      t.find_first_not_of("0123456789-:.TtZz+ ") != std::string::npos) {
    return false;
  }
  const std::size_t second = t.find('-', 5);
  return second != std::string::npos && second > 5 && second <= 7 && second + 1 < t.size() &&
         is_digit(t[second + 1]);
}

std::string printed_float(double value) {
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  const double magnitude = std::fabs(value);
  if (!std::isfinite(value) || (magnitude >= 1e-4 && magnitude < 1e6)) {
    return shortest(value);
  }
  char buffer[64];
  const auto r =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  return {buffer, r.ptr};
}

std::string float_text(double value) { return shortest(value); }
std::string float_text(float value) { return shortest(value); }

Node resolve_plain_scalar(std::string_view text, Place place) {
  using Kind = Node::Kind;
  if (text.empty() || one_of(text, {"~", "null", "Null", "NULL"})) return Node::null(place);
  const char c = text[0];
  if (std::strchr("tTfF", c) != nullptr) {
    if (one_of(text, {"true", "True", "TRUE"})) return Node::boolean(true, place);
    if (one_of(text, {"false", "False", "FALSE"})) return Node::boolean(false, place);
  }
  if (is_digit(c) || c == '-' || c == '+' || c == '.') {
    if (const auto i = parse_integer(text)) return Node::integer(*i, place);
    if (looks_like_float(text)) {
      std::uint64_t large = 0;  // beyond the signed integers
      const auto r = std::from_chars(text.data(), text.data() + text.size(), large);
      if (r.ec == std::errc() && r.ptr == text.data() + text.size() && c != '0') {
        return Node::scalar(Kind::kFloat, std::to_string(large), place);
      }
      const double value = std::strtod(std::string(text).c_str(), nullptr);
      return Node::scalar(Kind::kFloat, printed_float(value), place);
    }
    if (one_of(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"})) {
      return Node::scalar(Kind::kFloat, "+Inf", place);
    }
    if (one_of(text, {"-.inf", "-.Inf", "-.INF"})) {
      return Node::scalar(Kind::kFloat, "-Inf", place);
    }
    if (one_of(text, {".nan", ".NaN", ".NAN"})) return Node::scalar(Kind::kFloat, "NaN", place);
  }
  return Node::string(std::string(text), place);
}

}  // namespace stack::compose
