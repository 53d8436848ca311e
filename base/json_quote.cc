#include "base/json_quote.h"

#include <fmt/format.h>

#include <array>

#include "base/utf8.h"

namespace stack {

namespace {

constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = true;
  for (const char c : std::string_view("\"\\<>&")) plain[static_cast<unsigned char>(c)] = false;
  return plain;
}
constexpr std::array<bool, 256> kPlain = make_plain();

void append_escape(std::string& out, unsigned char c) {
  static constexpr std::string_view kFrom = "\"\\\b\f\n\r\t";
  static constexpr std::string_view kTo = "\"\\bfnrt";
  const std::size_t known = kFrom.find(static_cast<char>(c));
  if (known != std::string_view::npos) {
    out += '\\';
    out += kTo[known];
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    while (at < text.size() && kPlain[static_cast<unsigned char>(text[at])]) ++at;
    out.append(text, begin, at - begin);
    if (at == text.size()) break;
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x80) {
      append_escape(out, c);
      ++at;
      continue;
    }
    const std::size_t start = at;
    const char32_t point = utf8::next(text, at);
    if (point == 0x2028 || point == 0x2029) {
      out += point == 0x2028 ? "\\u2028" : "\\u2029";
    } else if (point == 0xFFFD && at - start == 1) {
      out += "\\ufffd";
    } else {
      out.append(text, start, at - start);
    }
  }
  out += '"';
}

}  // namespace stack
