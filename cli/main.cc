// The program `stack`: a client of the engine's API.
#include <signal.h>

#include <string>
#include <vector>

#include "cli/command.h"

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of write(2)
  const std::vector<std::string> args(argv + 1, argv + argc);
  return stack::cli::run_command_line(args);
}
