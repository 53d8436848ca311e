// What a command is called, takes and does, and running a command line. A command answers with the
// exit code; an error becomes one message on stderr and exit code 1 (130 when the user interrupted
// it, 125 for flags that a command of Docker's does not have).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/context.h"
#include "cli/flags.h"

namespace stack::cli {

inline constexpr std::size_t kAnyNumber = SIZE_MAX;

// Whose words a command understands: `stack compose ps` and `stack container ls` differ.
enum class Words { kCompose, kDocker };

struct Command {
  std::string_view name;
  std::string_view usage = {};  // "[OPTIONS] [SERVICE...]"
  std::string_view summary = {};
  std::span<const FlagSpec> flags = {};
  std::size_t min_args = 0;
  Result<int> (*run)(Context&, const Arguments&) = nullptr;
  std::span<const Command* const> children = {};  // `image ls`: then run is null
  bool interspersed = true;
  std::string_view alias = {};  // other names, separated by commas
  Words words = Words::kCompose;
  std::size_t max_args = kAnyNumber;
  std::span<const FlagSpec> more_flags = {};  // flags shared with other commands
  int failure_code = 1;                       // exit code when `run` answers with an error
};

const Command* find_command(std::span<const Command* const> among, std::string_view name);
std::vector<FlagSpec> flags_of(const Command& command);
std::string command_help(const Command& command, std::string_view path);

// Runs the command line (without argv[0]); the exit code of the program.
int run_command_line(std::span<const std::string> args);

}  // namespace stack::cli
