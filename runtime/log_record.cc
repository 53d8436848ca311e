#include "runtime/log_record.h"

#include <cstring>

#include "base/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace stack::runtime {

namespace {

constexpr char kHex[] = "0123456789abcdef";

char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* put_special(const unsigned char** at, const unsigned char* end, char* out) {
  const unsigned char c = **at;
  if (c >= 0x80) {
    const std::size_t size = utf8::sequence_length(reinterpret_cast<const char*>(*at),
                                                   reinterpret_cast<const char*>(end));
    if (size == 0) {
      ++*at;
      return put(out, "\\ufffd");
    }
    // U+2028 and U+2029 (e2 80 a8, e2 80 a9) end lines in JavaScript.
    const bool separator = size == 3 && c == 0xE2 && (*at)[1] == 0x80 && ((*at)[2] & 0xFEU) == 0xA8;
    if (separator) {
      out = put(out, (*at)[2] == 0xA8 ? "\\u2028" : "\\u2029");
    } else {
      std::memcpy(out, *at, size);
      out += size;
    }
    *at += size;
    return out;
  }
  ++*at;
  *out++ = '\\';
  if (c == '"' || c == '\\') {
    *out++ = static_cast<char>(c);
  } else if (c == '\n') {
    *out++ = 'n';
  } else if (c == '\r') {
    *out++ = 'r';
  } else {
    out = put(out, "u00");
    *out++ = kHex[c >> 4U];
    *out++ = kHex[c & 15U];
  }
  return out;
}

bool plain(unsigned char c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

char* two_digits(char* out, unsigned value) {
  *out++ = static_cast<char>('0' + value / 10);
  *out++ = static_cast<char>('0' + value % 10);
  return out;
}

}  // namespace

std::size_t escape_log_text(std::string_view text, char* out) {
  const char* const begin = out;
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  while (at < end) {
#if defined(__SSE2__)
    // Copies 16 bytes at a time up to the first one that needs care. The room of six bytes for one
    // makes the store safe.
    while (end - at >= 16) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      // Signed comparison: 0x80 and above are negative, so "less than space" finds controls and all
      // non-ASCII.
      __m128i care = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
      for (const char c : {'"', '\\', '<', '>', '&'})
        care = _mm_or_si128(care, _mm_cmpeq_epi8(v, _mm_set1_epi8(c)));
      const int mask = _mm_movemask_epi8(care);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), v);
      if (mask != 0) {
        const int clean = __builtin_ctz(static_cast<unsigned>(mask));
        at += clean;
        out += clean;
        break;
      }
      at += 16;
      out += 16;
    }
#endif
    while (at < end && plain(*at)) *out++ = static_cast<char>(*at++);
    if (at < end) out = put_special(&at, end, out);
  }
  return static_cast<std::size_t>(out - begin);
}

void LogTime::set(std::int64_t seconds, std::uint32_t nanoseconds) {
  constexpr std::size_t kSecondSize = 19;  // "2026-11-24T19:02:52"
  if (seconds != second_) {
    second_ = seconds;
    // Civil date from days since 1970, in 400-year eras that begin on 1 March.
    const std::int64_t days = seconds / 86400;
    const auto rest = static_cast<unsigned>(seconds % 86400);
    const std::int64_t shifted = days + 719468;
    const std::int64_t era = shifted / 146097;
    const auto day_of_era = static_cast<unsigned>(shifted - era * 146097);
    const unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const unsigned day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned month_index = (5 * day_of_year + 2) / 153;
    const unsigned day = day_of_year - (153 * month_index + 2) / 5 + 1;
    const unsigned month = month_index < 10 ? month_index + 3 : month_index - 9;
    const auto year = static_cast<unsigned>(era * 400 + year_of_era + (month <= 2 ? 1 : 0));
    char* out = two_digits(text_, year / 100);
    out = two_digits(out, year % 100);
    *out++ = '-';
    out = two_digits(out, month);
    *out++ = '-';
    out = two_digits(out, day);
    *out++ = 'T';
    out = two_digits(out, rest / 3600);
    *out++ = ':';
    out = two_digits(out, rest / 60 % 60);
    *out++ = ':';
    two_digits(out, rest % 60);
  }
  size_ = kSecondSize;
  if (nanoseconds != 0) {
    text_[size_++] = '.';
    std::uint32_t unit = 100000000;
    for (std::uint32_t left = nanoseconds; left != 0; unit /= 10) {
      text_[size_++] = static_cast<char>('0' + left / unit);
      left %= unit;
    }
  }
  text_[size_++] = 'Z';
}

std::size_t encode_log_record(std::string_view text, bool is_stderr, std::string_view time,
                              char* out) {
  const char* const begin = out;
  out = put(out, "{\"log\":\"");
  out += escape_log_text(text, out);
  out = put(out, is_stderr ? "\",\"stream\":\"stderr\",\"time\":\""
                           : "\",\"stream\":\"stdout\",\"time\":\"");
  out = put(out, time);
  out = put(out, "\"}\n");
  return static_cast<std::size_t>(out - begin);
}

}  // namespace stack::runtime
