// Durations and sizes in the words of Docker's tools.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace stack::cli {

// "Less than a second", "1 second", "7 seconds", "About a minute", "3 hours", "2 weeks" ...
std::string human_duration(Duration duration);

// "1.98MB": powers of 1000, `digits` significant digits.
std::string human_size(double bytes, int digits = 3);
// "828KiB": powers of 1024, four significant digits.
std::string binary_size(double bytes);

// Elapsed time of the progress display: "0.6s".
std::string elapsed_text(Duration duration);

// A moment as --since and --until take it: RFC 3339 (with or without a zone), a date, seconds since
// the epoch (with a fraction) or a duration before `now` such as "42m" or "1h30m". The answer is
// what the API takes: "seconds.nanoseconds".
Result<std::string> api_timestamp(std::string_view text, WallTime now);

// "2026-11-24 20:18:58 +0000 UTC"
std::string created_at_text(std::int64_t unix_seconds);
// "2026-11-24 04:33:36.553765", local time.
std::string event_time_text(std::int64_t unix_nanoseconds);
// RFC 3339 with nanoseconds, trailing zeros dropped, UTC.
std::string rfc3339_text(std::int64_t unix_nanoseconds);

}  // namespace stack::cli
