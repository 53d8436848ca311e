#include "cli/detach_keys.h"

#include <fmt/core.h>

#include <algorithm>

namespace stack::cli {

Result<DetachKeys> DetachKeys::parse(std::string_view text) {
  DetachKeys out;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view key = text.substr(start, comma - start);
    start = comma + 1;
    constexpr std::string_view kControl = "ctrl-";
    if (key.size() == 1) {
      out.sequence_ += key[0];
    } else if (key.size() == kControl.size() + 1 && key.starts_with(kControl) &&
               (key.back() == '@' || (key.back() >= 'a' && key.back() <= 'z') ||
                (key.back() >= '[' && key.back() <= '_'))) {
      out.sequence_ += static_cast<char>(key.back() & 0x1f);
    } else {
      return Error::invalid(
                 fmt::format("invalid detach keys ({}): Unknown character: '{}'", text, key))
          .fix(
              "Write them as ctrl-p,ctrl-q: letters, or ctrl- and a letter or one of @ [ \\ ] ^ "
              "_.");
    }
  }
  return out;
}

bool DetachKeys::feed(std::string_view typed, std::string& forward) {
  if (sequence_.empty()) {
    forward += typed;
    return false;
  }
  for (const char c : typed) {
    if (c == sequence_[matched_]) {
      if (++matched_ == sequence_.size()) return true;
      continue;
    }
    forward += sequence_.substr(0, matched_);
    matched_ = c == sequence_[0] ? 1 : 0;
    if (matched_ == sequence_.size()) return true;
    if (matched_ == 0) forward += c;
  }
  return false;
}

}  // namespace stack::cli
