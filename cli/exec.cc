// exec and attach.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/containers.h"
#include "cli/environment.h"
#include "cli/exec_session.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kExecFlags[] = {
    {"detach", 'd', FlagType::kBool, "Detached mode: Run command in the background"},
    {"env", 'e', FlagType::kList, "Set environment variables"},
    {"index", 0, FlagType::kInt, "Index of the container if service has multiple replicas"},
    {"interactive", 'i', FlagType::kBool, "", "true", true},
    {"no-tty", 'T', FlagType::kBool,
     "Disable pseudo-TTY allocation. By default a TTY is allocated when stdout is one"},
    {"privileged", 0, FlagType::kBool, "Give extended privileges to the process"},
    {"tty", 't', FlagType::kBool, "", "", true},
    {"user", 'u', FlagType::kString, "Run the command as this user"},
    {"workdir", 'w', FlagType::kString, "Path to workdir directory for this command"},
};
constexpr FlagSpec kAttachFlags[] = {
    {"detach-keys", 0, FlagType::kString,
     "Override the key sequence for detaching from a container."},
    {"index", 0, FlagType::kInt, "index of the container if service has multiple replicas."},
    {"no-stdin", 0, FlagType::kBool, "Do not attach STDIN"},
    {"sig-proxy", 0, FlagType::kBool, "Proxy all received signals to the process", "true"},
};

Result<int> exec(Context& context, const Arguments& args) {
  const std::string& service = args.positional[0];
  const std::vector<std::string> command(args.positional.begin() + 1, args.positional.end());
  const ProjectScope scope = TRY(context.scope({service}));
  const Container container =
      TRY(running_container(context, scope, service, args.number("index").value_or(0)));
  if (context.dry_run()) return 0;
  const Engine* engine = TRY(context.engine());
  ExecOptions options;
  options.command = command;
  options.environment = resolved_environment(args.list("env"));
  options.user = args.text("user");
  options.working_directory = args.text("workdir");
  options.detach = args.on("detach");
  options.tty = !args.on("no-tty") && !options.detach && is_terminal(STDOUT_FILENO);
  options.input = args.on("interactive");
  options.privileged = args.on("privileged");
  return run_exec(*engine, container.id, options);
}

Result<int> attach(Context& context, const Arguments& args) {
  const std::string& service = args.positional[0];
  const ProjectScope scope = TRY(context.scope({service}));
  const Container container =
      TRY(running_container(context, scope, service, args.number("index").value_or(0)));
  const Engine* engine = TRY(context.engine());
  const ContainerDetails details = TRY(engine->inspect(container.id));
  const bool input = !args.on("no-stdin") && details.open_stdin;
  std::string target = fmt::format("{}/containers/{}/attach?stream=1&stdout=1&stderr=1&stdin={}",
                                   kApi, container.id, input ? 1 : 0);
  if (args.given("detach-keys")) target += "&detachKeys=" + url_encode(args.text("detach-keys"));
  BodyStream waiting =
      TRY(engine->http().stream("POST", fmt::format("{}/containers/{}/wait", kApi, container.id)));
  Hijacked connection = TRY(engine->http().hijack(target));
  SessionOptions options;
  options.tty = details.tty;
  options.input = input;
  if (details.tty) {
    options.resize = [engine, &container](WindowSize size) {
      (void)engine->http().post(fmt::format("{}/containers/{}/resize?h={}&w={}", kApi, container.id,
                                            size.rows, size.columns));
    };
  }
  if (args.on("sig-proxy")) {
    options.signal = [engine, &container](int signal) {
      (void)engine->http().post(
          fmt::format("{}/containers/{}/kill?signal={}", kApi, container.id, signal));
    };
  }
  options.detach_keys = TRY(DetachKeys::parse(
      args.given("detach-keys") ? args.text("detach-keys") : std::string(kDefaultDetachKeys)));
  if (TRY(run_session(std::move(connection), options)) == SessionEnd::kDetached) return 0;
  std::string body;
  while (TRY(waiting.read(body))) {
  }
  return std::atoi(json_member(body, "StatusCode").c_str());
}

}  // namespace

constinit const Command kExecCommand{"exec",
                                     "[OPTIONS] SERVICE COMMAND [ARGS...]",
                                     "Execute a command in a running container",
                                     kExecFlags,
                                     2,
                                     exec,
                                     {},
                                     false};
constinit const Command kAttachCommand{
    "attach",
    "[OPTIONS] SERVICE",
    "Attach local standard input, output, and error streams to a service's running container",
    kAttachFlags,
    1,
    attach};

}  // namespace stack::cli
