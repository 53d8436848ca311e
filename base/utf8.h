// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stack::utf8 {

// Bytes of the sequence that begins at `p` (p < end), 0 when none does. Inline and free of the
// heap: the shim uses it for every line of a log.
inline std::size_t sequence_length(const char* p, const char* end) {
  const auto byte = [p](std::size_t i) { return static_cast<unsigned char>(p[i]); };
  const auto tail = [&byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const auto left = static_cast<std::size_t>(end - p);
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return left >= 2 && tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (left < 3 || !tail(1) || !tail(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (left < 4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// The code point at `at` (at < text.size()), which moves behind it. A byte that begins no sequence
// is U+FFFD.
char32_t next(std::string_view text, std::size_t& at);

// Surrogates and what is above U+10FFFF become U+FFFD.
void append(std::string& out, char32_t code_point);

// The offset of the first byte that begins no sequence; npos when all is well.
std::size_t find_invalid(std::string_view text);

// Code points, where each invalid byte counts as one.
std::size_t length(std::string_view text);

}  // namespace stack::utf8
