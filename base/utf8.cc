#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace stack::utf8 {

char32_t next(std::string_view text, std::size_t& at) {
  const char* p = text.data() + at;
  const std::size_t size = sequence_length(p, text.data() + text.size());
  at += size == 0 ? 1 : size;
  const auto lead = static_cast<unsigned char>(*p);
  if (size == 0) return 0xFFFD;
  if (size == 1) return lead;
  char32_t code = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    code = code << 6U | (static_cast<unsigned char>(p[i]) & 0x3FU);
  }
  return code;
}

void append(std::string& out, char32_t c) {
  const auto byte = [&out](char32_t b) { out += static_cast<char>(b); };
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  if (c < 0x80) {
    byte(c);
    return;
  }
  if (c < 0x800) {
    byte(0xC0U | c >> 6U);
  } else if (c < 0x10000) {
    byte(0xE0U | c >> 12U);
    byte(0x80U | (c >> 6U & 0x3FU));
  } else {
    byte(0xF0U | c >> 18U);
    byte(0x80U | (c >> 12U & 0x3FU));
    byte(0x80U | (c >> 6U & 0x3FU));
  }
  byte(0x80U | (c & 0x3FU));
}

std::size_t find_invalid(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    // Eight ASCII bytes at a time.
    std::uint64_t word = 0;
    if (end - p >= 8) {
      std::memcpy(&word, p, sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        p += 8;
        continue;
      }
    }
    const std::size_t size = sequence_length(p, end);
    if (size == 0) return static_cast<std::size_t>(p - text.data());
    p += size;
  }
  return std::string_view::npos;
}

std::size_t length(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) (void)next(text, at);
  return count;
}

}  // namespace stack::utf8
