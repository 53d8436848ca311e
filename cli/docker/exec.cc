// exec.
#include "cli/docker/attached.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/exec_session.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"detach", 'd', FlagType::kBool, "Detached mode: run command in the background"},
    {"detach-keys", 0, FlagType::kString, "Override the key sequence for detaching a container"},
    {"env", 'e', FlagType::kList, "Set environment variables"},
    {"env-file", 0, FlagType::kList, "Read in a file of environment variables"},
    {"interactive", 'i', FlagType::kBool, "Keep STDIN open even if not attached"},
    {"privileged", 0, FlagType::kBool, "Give extended privileges to the command"},
    {"tty", 't', FlagType::kBool, "Allocate a pseudo-TTY"},
    {"user", 'u', FlagType::kString, "Username or UID (format: \"<name|uid>[:<group|gid>]\")"},
    {"workdir", 'w', FlagType::kString, "Working directory inside the container"},
};

Result<int> exec(Context& context, const Arguments& args) {
  ExecOptions options;
  options.command.assign(args.positional.begin() + 1, args.positional.end());
  options.environment = TRY(environment_flags(args));
  options.user = args.text("user");
  options.working_directory = args.text("workdir");
  options.detach_keys = args.text("detach-keys");
  options.detach = args.on("detach");
  options.tty = args.on("tty");
  options.input = args.on("interactive") && !options.detach;
  options.privileged = args.on("privileged");
  TRY(check_input_terminal(options.tty, options.input));
  const Engine* engine = TRY(context.engine());
  auto code = run_exec(*engine, args.positional[0], options);
  if (code.ok()) return code;
  const int failure = start_failure_code(code.error());
  if (failure == 125) return code;  // no such container: 1
  print_error(code.error());
  return failure;
}

}  // namespace

constinit const Command kExec{.name = "exec",
                              .usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
                              .summary = "Execute a command in a running container",
                              .flags = kFlags,
                              .min_args = 2,
                              .run = exec,
                              .interspersed = false,
                              .words = Words::kDocker};

}  // namespace stack::cli::docker
