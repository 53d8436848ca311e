#include "cli/table.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/utf8.h"

namespace stack::cli {

namespace {

std::size_t cell_count(char32_t c) {
  const auto in = [c](char32_t low, char32_t high) { return c >= low && c <= high; };
  if (c < 0x20 || c == 0x7f) return 0;
  if (in(0x300, 0x36f) || in(0x200b, 0x200f) || in(0xfe00, 0xfe0f) || in(0x20d0, 0x20ff)) return 0;
  if (in(0x1100, 0x115f) || in(0x2e80, 0x303e) || in(0x3041, 0xa4cf) || in(0xac00, 0xd7a3) ||
      in(0xf900, 0xfaff) || in(0xfe30, 0xfe6f) || in(0xff00, 0xff60) || in(0xffe0, 0xffe6) ||
      in(0x1f300, 0x1f64f) || in(0x1f900, 0x1f9ff) || in(0x20000, 0x3fffd)) {
    return 2;
  }
  return 1;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\033' && at + 1 < text.size() && text[at + 1] == '[') {
      at += 2;
      while (at < text.size() && (text[at] < '@' || text[at] > '~')) ++at;
      ++at;
      continue;
    }
    width += cell_count(utf8::next(text, at));
  }
  return width;
}

std::string render_table(const std::vector<Row>& rows, std::size_t min_width, std::size_t padding) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(min_width);
      widths[i] = std::max(widths[i], display_width(row[i]) + padding);
    }
  }
  std::string out;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - display_width(row[i]), ' ');
    }
    out += '\n';
  }
  return out;
}

std::string ellipsis(std::string_view text, std::size_t cells) {
  std::size_t at = 0;
  std::size_t count = 0;
  std::size_t cut = 0;  // where the text ends if "…" has to follow
  while (at < text.size()) {
    if (count + 1 == cells) cut = at;
    (void)utf8::next(text, at);
    if (++count > cells) return std::string(text.substr(0, cut)) + "…";
  }
  return std::string(text);
}

}  // namespace stack::cli
