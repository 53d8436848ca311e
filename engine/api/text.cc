#include "engine/api/text.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>

#include "images/image_config.h"

namespace stack::engine::api {

namespace {

constexpr std::int64_t kNano = 1'000'000'000;

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string go_time(WallTime t) {
  std::string text = rfc3339_nano(t);  // ends in 'Z'
  text.pop_back();
  if (text.find('.') != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return text + "Z";
}

std::string go_time(const std::optional<WallTime>& t) {
  return t ? go_time(*t) : "0001-01-01T00:00:00Z";
}

std::string human_duration(Duration d) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  const auto minutes = seconds / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  const auto hours = (seconds + 1800) / 3600;
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", seconds / 3600 / 24 / 365);
}

std::string status_text(const Container& c, WallTime now) {
  const auto since = [&](const std::optional<WallTime>& moment) {
    return human_duration(now - moment.value_or(now));
  };
  switch (c.status) {
    case RunState::kRunning:
      if (c.health.status == HealthStatus::kStarting)
        return fmt::format("Up {} (health: starting)", since(c.started_at));
      if (c.health.status != HealthStatus::kNone)
        return fmt::format("Up {} ({})", since(c.started_at), to_string(c.health.status));
      return "Up " + since(c.started_at);
    case RunState::kPaused:
      return fmt::format("Up {} (Paused)", since(c.started_at));
    case RunState::kRestarting:
      return fmt::format("Restarting ({}) {} ago", c.exit_code, since(c.finished_at));
    case RunState::kRemoving:
      return "Removal In Progress";
    case RunState::kDead:
      return "Dead";
    case RunState::kCreated:
      return "Created";
    case RunState::kExited:
      break;
  }
  return fmt::format("Exited ({}) {} ago", c.exit_code, since(c.finished_at));
}

std::string command_text(const Container& c) {
  std::string out = c.path;
  for (const auto& arg : c.args)
    out += arg.find(' ') == std::string::npos ? " " + arg : " '" + arg + "'";
  return out;
}

std::optional<Duration> parse_go_duration(std::string_view text) {
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto unit_end = std::min(text.find_first_of("0123456789.", digits), text.size());
    const auto unit = text.substr(digits, unit_end - digits);
    const double value = std::strtod(std::string(text.substr(0, digits)).c_str(), nullptr);
    double factor = 0;
    if (unit == "h") factor = 3600e9;
    if (unit == "m") factor = 60e9;
    if (unit == "s") factor = 1e9;
    if (unit == "ms") factor = 1e6;
    if (unit == "us" || unit == "µs") factor = 1e3;
    if (unit == "ns") factor = 1;
    if (factor == 0 || digits == 0) return std::nullopt;
    total += value * factor;
    text.remove_prefix(unit_end);
  }
  return Duration(std::llround(total));
}

std::optional<WallTime> parse_moment(std::string_view text, WallTime now) {
  const auto at = [](std::int64_t ns) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(Duration(ns)));
  };
  const auto dot = std::min(text.find('.'), text.size());
  if (all_digits(text.substr(0, dot)) && dot < 12) {
    std::string fraction(dot < text.size() ? text.substr(dot + 1) : std::string_view());
    if (!fraction.empty() && !all_digits(fraction)) return std::nullopt;
    fraction.resize(9, '0');
    return at(std::atoll(std::string(text.substr(0, dot)).c_str()) * kNano +
              std::atoll(fraction.c_str()));
  }
  if (const auto back = parse_go_duration(text))
    return now - std::chrono::duration_cast<WallTime::duration>(*back);
  std::string full(
      text);  // "2026-11-24", "2026-11-24T19:02", "...:05": the day's or minute's beginning, UTC
  if (full.size() == 10) full += "T00:00:00Z";
  if (full.size() == 16) full += ":00Z";
  if (full.size() == 19) full += "Z";
  const WallTime parsed = images::parse_rfc3339(full);
  if (parsed == WallTime{}) return std::nullopt;
  return parsed;
}

}  // namespace stack::engine::api
