// A conversation with a process in a container over a hijacked connection: keys and output pass
// through until one side ends.
#pragma once

#include <functional>

#include "cli/api_client.h"
#include "cli/detach_keys.h"
#include "cli/terminal.h"

namespace stack::cli {

struct SessionOptions {
  bool tty = false;   // raw bytes both ways; our terminal is switched to raw mode
  bool input = true;  // pass our standard input on
  bool output = true;
  std::function<void(WindowSize)> resize;  // told the size at the beginning and at every change
  // Signals that reach us while there is no terminal in raw mode; empty: they end us.
  std::function<void(int)> signal;
  DetachKeys detach_keys;  // looked for when our input is a terminal in raw mode
};

enum class SessionEnd {
  kClosed,    // the other side has closed its output
  kDetached,  // the user typed the detach keys
};

Result<SessionEnd> run_session(Hijacked connection, const SessionOptions& options);

}  // namespace stack::cli
