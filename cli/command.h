// The table of commands: what each is called, takes and does. A command answers with the exit code;
// an error becomes one message on stderr and exit code 1 (130 when the user interrupted it).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/context.h"
#include "cli/flags.h"

namespace stack::cli {

struct Command {
  std::string_view name;
  std::string_view usage;  // "[OPTIONS] [SERVICE...]"
  std::string_view summary;
  std::span<const FlagSpec> flags;
  std::size_t min_args = 0;
  Result<int> (*run)(Context&, const Arguments&) = nullptr;
  std::span<const Command* const> children = {};  // `image ls`: then run is null
  bool interspersed = true;
  std::string_view alias = {};
};

std::span<const Command* const> commands();
std::span<const FlagSpec> global_flags();

const Command* find_command(std::span<const Command* const> among, std::string_view name);

std::string main_help();
std::string command_help(const Command& command, std::string_view path);

// Runs the command line (without argv[0]); the exit code of the program.
int run_command_line(std::span<const std::string> args);

}  // namespace stack::cli
