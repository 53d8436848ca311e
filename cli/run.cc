// run: a one-off container of a service, in the foreground or not.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.h"
#include "cli/environment.h"
#include "cli/project_run.h"
#include "cli/session.h"
#include "cli/up_options.h"
#include "cli/verbs.h"
#include "compose/dotenv.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"build", 0, FlagType::kBool, "Build image before starting container"},
    {"cap-add", 0, FlagType::kList, "Add Linux capabilities"},
    {"cap-drop", 0, FlagType::kList, "Drop Linux capabilities"},
    {"detach", 'd', FlagType::kBool, "Run container in background and print container ID"},
    {"entrypoint", 0, FlagType::kString, "Override the entrypoint of the image"},
    {"env", 'e', FlagType::kList, "Set environment variables"},
    {"env-from-file", 0, FlagType::kList, "Set environment variables from file"},
    {"interactive", 'i', FlagType::kBool, "Keep STDIN open even if not attached", "true"},
    {"label", 'l', FlagType::kList, "Add or override a label"},
    {"name", 0, FlagType::kString, "Assign a name to the container"},
    {"no-TTY", 'T', FlagType::kBool,
     "Disable pseudo-TTY allocation. By default a TTY is allocated when stdout is one"},
    {"no-deps", 0, FlagType::kBool, "Don't start linked services"},
    {"publish", 'p', FlagType::kList, "Publish a container's port(s) to the host"},
    {"pull", 0, FlagType::kString, "Pull image before running (\"always\"|\"missing\"|\"never\")",
     "policy"},
    {"quiet", 'q', FlagType::kBool, "Don't print anything to STDOUT"},
    {"quiet-build", 0, FlagType::kBool, "Suppress progress output from the build process"},
    {"quiet-pull", 0, FlagType::kBool, "Pull without printing progress information"},
    {"remove-orphans", 0, FlagType::kBool,
     "Remove containers for services not defined in the Compose file"},
    {"rm", 0, FlagType::kBool, "Automatically remove the container when it exits"},
    {"service-ports", 'P', FlagType::kBool,
     "Run command with all service's ports enabled and mapped to the host"},
    {"tty", 't', FlagType::kBool, "", "", true},
    {"use-aliases", 0, FlagType::kBool,
     "Use the service's network useAliases in the network(s) the container connects to"},
    {"user", 'u', FlagType::kString, "Run as specified username or uid"},
    {"volume", 'v', FlagType::kList, "Bind mount a volume"},
    {"workdir", 'w', FlagType::kString, "Working directory inside the container"},
};

// KEY=VALUE lines; those of -e win, so they come first in the file order.
Result<std::vector<std::string>> environment_of(const Arguments& args) {
  std::vector<std::string> entries;
  for (const std::string& path : args.list("env-from-file")) {
    const auto text = read_file(path);
    if (!text.ok()) {
      return Error::not_found(fmt::format("couldn't find env file: {}", path))
          .fix("Check the path after --env-from-file.");
    }
    std::map<std::string, std::string> asked;
    const auto parsed =
        compose::parse_env_file(*text, [&asked](const std::string& name) -> const std::string* {
          const char* value = ::getenv(name.c_str());
          return value != nullptr ? &(asked[name] = value) : nullptr;
        });
    if (!parsed.ok()) {
      Error error = parsed.error();
      if (error.where) error.where->file = path;
      return error;
    }
    for (const auto& [name, value] : parsed->values) entries.push_back(name + '=' + value);
  }
  const auto given = args.list("env");
  entries.insert(entries.end(), given.begin(), given.end());
  return resolved_environment(entries);
}

Result<ProjectRequest> request_of(Context& context, const Arguments& args, bool tty) {
  const std::string& service = args.positional[0];
  const std::vector<std::string> command(args.positional.begin() + 1, args.positional.end());
  const compose::Project* project = TRY(context.project({service}));
  TRY(check_services(*project, {service}));
  ProjectRequest request;
  request.verb = "run";
  request.title = "Creating";
  request.scope = {project->name, project};
  request.service = service;
  request.quiet_steps = args.on("quiet");
  request.quiet_log = args.on("quiet") || args.on("quiet-build");
  JsonObject& options = request.options;
  if (!command.empty()) options.add("command", command);
  if (args.given("entrypoint"))
    options.add("entrypoint", TRY(shell_words(args.text("entrypoint"))));
  if (const auto environment = TRY(environment_of(args)); !environment.empty())
    options.add("environment", environment);
  for (const auto& [flag, option] :
       {std::pair{"name", "name"}, {"user", "user"}, {"workdir", "workdir"}}) {
    if (args.given(flag)) options.add(option, args.text(flag));
  }
  options.add("tty", tty).add("stdin", args.on("interactive"));
  for (const auto& [flag, option] : {std::pair{"label", "labels"},
                                     {"volume", "volumes_extra"},
                                     {"publish", "publish"},
                                     {"cap-add", "cap_add"},
                                     {"cap-drop", "cap_drop"}}) {
    if (args.given(flag)) options.add(option, args.list(flag));
  }
  for (const auto& [flag, option] : {std::pair{"service-ports", "service_ports"},
                                     {"use-aliases", "use_aliases"},
                                     {"no-deps", "no_deps"},
                                     {"build", "build"},
                                     {"rm", "rm"},
                                     {"remove-orphans", "remove_orphans"},
                                     {"quiet-pull", "quiet_pull"}}) {
    if (args.on(flag)) options.add(option, true);
  }
  if (const std::string pull = TRY(pull_option(args)); !pull.empty()) options.add("pull", pull);
  return request;
}

// Removes the container when it is to leave nothing behind; its anonymous volumes go with it.
void remove_container(const Engine& engine, const std::string& id) {
  const auto removed = engine.http().remove(fmt::format("{}/containers/{}?v=1&force=1", kApi, id));
  const bool gone = removed.ok() || removed.error().kind == ErrorKind::kNotFound ||
                    removed.error().kind == ErrorKind::kConflict;
  if (!gone) print_error(removed.error());
}

Result<int> run_attached(const Engine& engine, const std::string& id, bool tty, bool input,
                         bool output) {
  const std::string container = fmt::format("{}/containers/{}", kApi, id);
  Hijacked connection = TRY(engine.http().hijack(
      fmt::format("{}/attach?stream=1&stdout=1&stderr=1&stdin={}", container, input ? 1 : 0)));
  BodyStream waiting = TRY(engine.http().stream("POST", container + "/wait?condition=next-exit"));
  TRY(engine.http().post(container + "/start"));
  SessionOptions options;
  options.tty = tty;
  options.input = input;
  options.output = output;
  if (tty) {
    options.resize = [&engine, &container](WindowSize size) {
      (void)engine.http().post(
          fmt::format("{}/resize?h={}&w={}", container, size.rows, size.columns));
    };
  }
  options.signal = [&engine, &container](int signal) {
    (void)engine.http().post(fmt::format("{}/kill?signal={}", container, signal));
  };
  TRY(run_session(std::move(connection), options));
  std::string body;
  while (TRY(waiting.read(body))) {
  }
  return std::atoi(json_member(body, "StatusCode").c_str());
}

Result<int> run(Context& context, const Arguments& args) {
  if (args.on("service-ports") && args.given("publish")) {
    return Error::invalid("--service-ports and --publish are incompatible");
  }
  const bool detach = args.on("detach");
  const bool tty =
      !args.on("no-TTY") && !detach && is_terminal(STDOUT_FILENO) && is_terminal(STDIN_FILENO);
  const ProjectRequest request = TRY(request_of(context, args, tty));
  int failure_code = 1;
  const auto outcome = call_project(context, request, nullptr, &failure_code);
  if (!outcome.ok()) {
    if (failure_code == 1 || outcome.error().kind == ErrorKind::kCancelled) return outcome.error();
    print_error(outcome.error());
    return failure_code;
  }
  if (context.dry_run()) return 0;
  const Engine* engine = TRY(context.engine());
  if (detach) {
    TRY(engine->http().post(fmt::format("{}/containers/{}/start", kApi, outcome->id)));
    print(outcome->id + '\n');
    return 0;
  }
  auto code = run_attached(*engine, outcome->id, tty, args.on("interactive"), !args.on("quiet"));
  if (args.on("rm")) remove_container(*engine, outcome->id);
  if (!code.ok()) {
    // As `docker run`: 127 when there is no such program, 126 when it cannot be executed.
    const std::string& text = code.error().message;
    int start_code = 0;
    if (text.find("executable file not found") != std::string::npos ||
        text.find("no such file or directory") != std::string::npos)
      start_code = 127;
    if (text.find("permission denied") != std::string::npos) start_code = 126;
    if (start_code == 0) return std::move(code).error();
    print_error(code.error());
    return start_code;
  }
  return code;
}

}  // namespace

constinit const Command kRunCommand{"run",
                                    "[OPTIONS] SERVICE [COMMAND] [ARGS...]",
                                    "Run a one-off command on a service",
                                    kFlags,
                                    1,
                                    run,
                                    {},
                                    false};

}  // namespace stack::cli
