// Times and durations as Docker shows them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/model.h"

namespace stack::engine::api {

std::string go_time(WallTime t);  // RFC 3339, trailing zeros of the fraction cut off
std::string go_time(const std::optional<WallTime>& t);  // absent: "0001-01-01T00:00:00Z"
std::string human_duration(Duration d);                 // "About a minute", "3 hours"
std::string status_text(const Container& c,
                        WallTime now);  // "Up 2 minutes (healthy)", "Exited (1) 3 seconds ago"
std::string command_text(const Container& c);

// A moment of a query: seconds of Unix time with an optional fraction, RFC 3339, or a duration back
// from now ("10m").
std::optional<WallTime> parse_moment(std::string_view text, WallTime now);
std::optional<Duration> parse_go_duration(std::string_view text);  // "1h2m3.5s"

}  // namespace stack::engine::api
