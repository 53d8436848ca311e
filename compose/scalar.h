// Turns plain YAML scalars into typed nodes by the YAML 1.2 core schema, with the 0NNN octal of
// YAML 1.1 that Compose files use for modes. yes, no, on and off are strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compose/node.h"

namespace stack::compose {

Node resolve_plain_scalar(std::string_view text, Place place);

// "2024-01-02", "2024-01-02T10:00:00Z": text that YAML takes for a time.
bool is_timestamp(std::string_view text);

// Signed integer in the notations 10, 0755, 0o755, 0x1f, 0b1, with _ between digits.
std::optional<std::int64_t> parse_integer(std::string_view text);

// Shortest text that reads back to the same number: 1, 0.5, 1e+21, +Inf.
std::string float_text(double value);
std::string float_text(float value);
// The text of a number that becomes a string: with an exponent from a million on ("1e+06").
std::string printed_float(double value);

}  // namespace stack::compose
