// Running one more command in a container: what `exec` of Compose and of Docker share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/engine_api.h"

namespace stack::cli {

struct ExecOptions {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // K=V
  std::string user;
  std::string working_directory;
  std::string detach_keys;  // as typed; empty: the default
  bool detach = false;
  bool tty = false;
  bool input = false;
  bool privileged = false;
};

// The command's exit code; 0 when detached. 126 and 127 come from the engine.
Result<int> run_exec(const Engine& engine, const std::string& container_id,
                     const ExecOptions& options);

}  // namespace stack::cli
