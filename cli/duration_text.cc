#include "cli/duration_text.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <optional>
#include <span>

namespace stack::cli {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string scaled(double value, double base, int digits, std::span<const char* const> units) {
  std::size_t unit = 0;
  while (value >= base && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  char text[64];
  std::snprintf(text, sizeof text, "%.*g%s", digits, value, units[unit]);
  return text;
}

std::optional<std::int64_t> parse_go_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    double value = 0;
    const auto [end, ec] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (ec != std::errc() || end == text.data()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    struct Unit {
      std::string_view name;
      double nanoseconds;
    };
    constexpr std::array<Unit, 6> kUnits{
        {{"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}}};
    bool found = false;
    for (const Unit& unit : kUnits) {
      if (!text.starts_with(unit.name)) continue;
      total += value * unit.nanoseconds;
      text.remove_prefix(unit.name.size());
      found = true;
      break;
    }
    if (!found) return std::nullopt;
  }
  return static_cast<std::int64_t>(total);
}

// Seconds since the epoch of the date and time that `text` starts with; the rest (fraction and
// zone) is left in `rest`.
std::optional<std::int64_t> parse_date(std::string_view text, std::string_view& rest,
                                       bool& has_time) {
  std::tm tm{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  has_time = end != nullptr;
  if (end == nullptr) {
    tm = {};
    end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M", &tm);
    has_time = end != nullptr;
  }
  if (end == nullptr) {
    tm = {};
    end = ::strptime(copy.c_str(), "%Y-%m-%d", &tm);
  }
  if (end == nullptr) return std::nullopt;
  rest = text.substr(static_cast<std::size_t>(end - copy.c_str()));
  return ::timegm(&tm);
}

std::string seconds_text(std::int64_t nanoseconds) {
  return fmt::format("{}.{:09}", nanoseconds / kSecond, nanoseconds % kSecond);
}

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  std::string_view rest;
  bool has_time = false;
  const auto seconds = parse_date(text, rest, has_time);
  if (!seconds) return std::nullopt;
  std::int64_t nanoseconds = *seconds * kSecond;
  if (has_time && rest.starts_with('.')) {
    rest.remove_prefix(1);
    std::int64_t scale = kSecond / 10;
    while (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      nanoseconds += (rest[0] - '0') * scale;
      scale /= 10;
      rest.remove_prefix(1);
    }
  }
  if (rest == "Z") return nanoseconds;
  if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':') {
    const auto digit = [&rest](std::size_t at) {
      return static_cast<std::int64_t>(rest[at] - '0');
    };
    const std::int64_t offset = (digit(1) * 10 + digit(2)) * 3600 + (digit(4) * 10 + digit(5)) * 60;
    return nanoseconds + (rest[0] == '+' ? -offset : offset) * kSecond;
  }
  if (!rest.empty()) return std::nullopt;
  // No zone: the user's own.
  std::tm tm{};
  const std::time_t utc = static_cast<std::time_t>(*seconds);
  ::gmtime_r(&utc, &tm);
  tm.tm_isdst = -1;
  return nanoseconds + (static_cast<std::int64_t>(::mktime(&tm)) - *seconds) * kSecond;
}

}  // namespace

std::string human_duration(Duration duration) {
  const double exact = std::chrono::duration<double>(duration).count();
  const long seconds = static_cast<long>(exact);
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  const long minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  const long hours = std::lround(exact / 3600);
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24L * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24L * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24L * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", seconds / 3600 / 24 / 365);
}

std::string human_size(double bytes, int digits) {
  constexpr std::array<const char*, 7> kUnits{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  return scaled(bytes, 1000, digits, kUnits);
}

std::string binary_size(double bytes) {
  constexpr std::array<const char*, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  return scaled(bytes, 1024, 4, kUnits);
}

std::string elapsed_text(Duration duration) {
  return fmt::format("{:.1f}s", std::chrono::duration<double>(duration).count());
}

Result<std::string> api_timestamp(std::string_view text, WallTime now) {
  const std::int64_t now_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  if (const auto before = parse_go_duration(text)) return seconds_text(now_ns - *before);
  double number = 0;
  const auto [end, ec] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (ec == std::errc() && end == text.data() + text.size() && number >= 0)
    return std::string(text);
  if (const auto moment = parse_rfc3339(text)) return seconds_text(*moment);
  return Error::invalid(fmt::format("\"{}\" is not a time", text))
      .fix("Give a time such as 2026-01-02T13:23:37Z, or how long ago, such as 42m.");
}

std::string created_at_text(std::int64_t unix_seconds) {
  std::tm tm{};
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  ::localtime_r(&seconds, &tm);
  char text[80];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z %Z", &tm);
  return text;
}

std::string event_time_text(std::int64_t unix_nanoseconds) {
  std::tm tm{};
  const auto seconds = static_cast<std::time_t>(unix_nanoseconds / kSecond);
  ::localtime_r(&seconds, &tm);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
  return fmt::format("{}.{:06}", text, unix_nanoseconds % kSecond / 1000);
}

std::string rfc3339_text(std::int64_t unix_nanoseconds) {
  std::tm tm{};
  const auto seconds = static_cast<std::time_t>(unix_nanoseconds / kSecond);
  ::gmtime_r(&seconds, &tm);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
  std::string out = text;
  if (const std::int64_t fraction = unix_nanoseconds % kSecond; fraction != 0) {
    std::string digits = fmt::format("{:09}", fraction);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += '.' + digits;
  }
  return out + 'Z';
}

}  // namespace stack::cli
