// A container in the foreground: attach, start, and its exit code when it ends.
#pragma once

#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/session.h"

namespace stack::cli::docker {

struct AttachOptions {
  bool tty = false;
  bool input = false;
  bool output = true;
  bool error = true;
  bool signal_proxy = true;
  bool removed_when_done = false;  // wait until the container is gone, not only ended
  bool start = true;               // else it runs already
  std::string detach_keys;         // as typed; empty: the default
};

struct AttachedExit {
  int code = 0;
  bool detached = false;
};

// The connection is there before the container starts, so that no output is lost.
Result<AttachedExit> attach_container(const Engine& engine, const std::string& id,
                                      const AttachOptions& options);

// Input is not a terminal although a terminal was asked for.
Status check_input_terminal(bool tty, bool input);

// 127 when there is no such program, 126 when it cannot be executed, else 125: by the engine's
// words.
int start_failure_code(const Error& error);

}  // namespace stack::cli::docker
