// start, stop, restart, kill, rm, pause, unpause and scale: one call of a project endpoint each.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "cli/containers.h"
#include "cli/project_run.h"
#include "cli/up_options.h"
#include "cli/verbs.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kStopFlags[] = {
    {"timeout", 't', FlagType::kInt, "Specify a shutdown timeout in seconds"}};
constexpr FlagSpec kRestartFlags[] = {
    {"no-deps", 0, FlagType::kBool, "Don't restart dependent services"},
    {"timeout", 't', FlagType::kInt, "Specify a shutdown timeout in seconds"},
};
constexpr FlagSpec kKillFlags[] = {
    {"remove-orphans", 0, FlagType::kBool,
     "Remove containers for services not defined in the Compose file"},
    {"signal", 's', FlagType::kString, "SIGNAL to send to the container", "SIGKILL"},
};
constexpr FlagSpec kRmFlags[] = {
    {"all", 'a', FlagType::kBool, "", "", true},
    {"force", 'f', FlagType::kBool, "Don't ask to confirm removal"},
    {"stop", 's', FlagType::kBool, "Stop the containers, if required, before removing"},
    {"volumes", 'v', FlagType::kBool, "Remove any anonymous volumes attached to containers"},
};
constexpr FlagSpec kScaleFlags[] = {{"no-deps", 0, FlagType::kBool, "Don't start linked services"}};

Result<ProjectRequest> request_for(Context& context, const Arguments& args, const char* verb,
                                   const char* title) {
  ProjectRequest request;
  request.verb = verb;
  request.title = title;
  request.scope = TRY(context.scope(args.positional));
  if (request.scope.project != nullptr)
    TRY(check_services(*request.scope.project, args.positional));
  if (!args.positional.empty()) request.options.add("services", args.positional);
  if (const auto timeout = args.number("timeout"))
    request.options.add("timeout", std::int64_t{*timeout});
  return request;
}

Result<int> start(Context& context, const Arguments& args) {
  return run_project(context, TRY(request_for(context, args, "start", "Running")));
}
Result<int> stop(Context& context, const Arguments& args) {
  return run_project(context, TRY(request_for(context, args, "stop", "Stopping")));
}
Result<int> restart(Context& context, const Arguments& args) {
  ProjectRequest request = TRY(request_for(context, args, "restart", "Restarting"));
  if (args.on("no-deps")) request.options.add("no_deps", true);
  return run_project(context, request);
}
Result<int> kill(Context& context, const Arguments& args) {
  ProjectRequest request = TRY(request_for(context, args, "kill", "Killing"));
  request.options.add("signal", args.text("signal"));
  if (args.on("remove-orphans")) request.options.add("remove_orphans", true);
  return run_project(context, request);
}
Result<int> pause(Context& context, const Arguments& args) {
  return run_project(context, TRY(request_for(context, args, "pause", "Pausing")));
}
Result<int> unpause(Context& context, const Arguments& args) {
  return run_project(context, TRY(request_for(context, args, "unpause", "Unpausing")));
}

Result<int> rm(Context& context, const Arguments& args) {
  if (args.on("stop")) {
    const ProjectRequest stop_request = TRY(request_for(context, args, "stop", "Stopping"));
    TRY(run_project(context, stop_request));
  }
  ProjectRequest request = TRY(request_for(context, args, "rm", "Removing"));
  std::string names;
  for (const Container& container :
       TRY(project_containers(context, request.scope, args.positional, true))) {
    const bool at_work = container.state == "running" || container.state == "paused" ||
                         container.state == "restarting";
    if (at_work || container.one_off()) continue;
    names += (names.empty() ? "" : ", ") + container.name;
  }
  if (names.empty()) {
    (void)!::write(STDERR_FILENO, "No stopped containers\n", 22);
    return 0;
  }
  const std::string question = fmt::format("Going to remove {}", names);
  if (args.on("force")) {
    print(question + '\n');
  } else if (!confirm(question)) {
    return 0;
  }
  if (args.on("volumes")) request.options.add("volumes", true);
  return run_project(context, request);
}

Result<int> scale(Context& context, const Arguments& args) {
  const auto numbers = TRY(scale_option(args.positional, true));
  std::vector<std::string> services;
  JsonObject scale_json;
  for (const auto& [service, number] : numbers) {
    services.push_back(service);
    scale_json.add(service, number);
  }
  const compose::Project* project = TRY(context.project(services));
  TRY(check_services(*project, services));
  ProjectRequest request;
  request.verb = "up";
  request.title = "Running";
  request.scope = {project->name, project};
  request.options.add("services", services).add_json("scale", scale_json.text());
  if (args.on("no-deps")) request.options.add("no_deps", true);
  return run_project(context, request);
}

}  // namespace

constinit const Command kStartCommand{"start", "[SERVICE...]", "Start services", {}, 0, start};
constinit const Command kStopCommand{
    "stop", "[OPTIONS] [SERVICE...]", "Stop services", kStopFlags, 0, stop};
constinit const Command kRestartCommand{
    "restart", "[OPTIONS] [SERVICE...]", "Restart service containers", kRestartFlags, 0, restart};
constinit const Command kKillCommand{
    "kill", "[OPTIONS] [SERVICE...]", "Force stop service containers", kKillFlags, 0, kill};
constinit const Command kRmCommand{
    "rm", "[OPTIONS] [SERVICE...]", "Removes stopped service containers", kRmFlags, 0, rm};
constinit const Command kPauseCommand{"pause", "[SERVICE...]", "Pause services", {}, 0, pause};
constinit const Command kUnpauseCommand{"unpause", "[SERVICE...]", "Unpause services", {},
                                        0,         unpause};
constinit const Command kScaleCommand{
    "scale", "[SERVICE=REPLICAS...]", "Scale services", kScaleFlags, 1, scale};

}  // namespace stack::cli
