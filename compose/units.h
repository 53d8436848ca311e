// The small grammars inside Compose values: sizes, durations, booleans, command lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "compose/project.h"

namespace stack::compose {

// "1.5g", "64 MB", "1024", "-1": powers of 1024 whatever the unit is called.
Result<Bytes> parse_bytes(std::string_view text);

// "1h30m", "1.5s", "-1s", "0"; units ns us µs ms s m h d w.
Result<Duration> parse_duration(std::string_view text);
// "1m30s", "1.5s", "100µs", "0s".
std::string duration_text(Duration duration);

// true, false, y, yes, on, n, no, off in any case. `old_style` is set when the word is not
// YAML 1.2's.
std::optional<bool> parse_boolean(std::string_view text, bool* old_style = nullptr);

// Splits like a shell: spaces, '…', "…", \. Nothing is expanded. An unquoted ; & | < > ends the
// command, as it does in Docker Compose; `cut` is then set.
Result<std::vector<std::string>> split_command(std::string_view text, bool* cut = nullptr);

}  // namespace stack::compose
