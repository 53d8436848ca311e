// The key sequence that leaves a session while the container runs on (--detach-keys). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace stack::cli {

inline constexpr std::string_view kDefaultDetachKeys = "ctrl-p,ctrl-q";

class DetachKeys {
 public:
  // "ctrl-p,ctrl-q", "a,b", "ctrl-@"; empty: there is no such sequence.
  static Result<DetachKeys> parse(std::string_view text);

  // What of the typed bytes goes to the process. Keys that may be the beginning of the sequence are
  // held back until the next ones tell. True when the sequence is complete.
  bool feed(std::string_view typed, std::string& forward);

 private:
  std::string sequence_;
  std::size_t matched_ = 0;
};

}  // namespace stack::cli
