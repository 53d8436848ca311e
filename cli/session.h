// A conversation with a process in a container over a hijacked connection: keys and output pass
// through until one side ends.
#pragma once

#include <functional>

#include "cli/api_client.h"
#include "cli/terminal.h"

namespace stack::cli {

struct SessionOptions {
  bool tty = false;   // raw bytes both ways; our terminal is switched to raw mode
  bool input = true;  // pass our standard input on
  bool output = true;
  std::function<void(WindowSize)> resize;  // told the size at the beginning and at every change
  std::function<void(int)>
      signal;  // SIGINT and SIGTERM while there is no terminal in raw mode; empty: they end us
};

// Returns when the other side has closed its output.
Status run_session(Hijacked connection, const SessionOptions& options);

}  // namespace stack::cli
