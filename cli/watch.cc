// watch: rebuilds and refreshes containers when files change.
#include <fmt/core.h>

#include "cli/project_run.h"
#include "cli/verbs.h"
#include "cli/watch_actions.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"no-up", 0, FlagType::kBool, "Do not build & start services before watching"},
    {"prune", 0, FlagType::kBool, "Prune dangling images on rebuild", "true"},
    {"quiet", 0, FlagType::kBool, "hide build output"},
};

Result<int> watch(Context& context, const Arguments& args) {
  const std::vector<std::string>& services = args.positional;
  const compose::Project* project = TRY(context.project(services));
  TRY(check_services(*project, services));
  TRY(Watcher::check(*project, services));
  SignalWatch signals = TRY(SignalWatch::watch({SIGINT, SIGTERM}));
  if (!args.on("no-up")) {
    ProjectRequest request;
    request.verb = "up";
    request.title = "Running";
    request.scope = {project->name, project};
    request.quiet_log = args.on("quiet");
    if (!services.empty()) request.options.add("services", services);
    TRY(call_project(context, request, &signals));
  }
  if (context.dry_run()) return 0;
  Watcher watcher = TRY(Watcher::start(context, *project,
                                       {services, args.on("quiet"), args.on("prune"),
                                        [](const std::string& text) { print(text + "\n"); }}));
  for (;;) {
    const int fds[] = {watcher.fd(), signals.fd()};
    for (const int fd : wait_readable(fds, watcher.due())) {
      if (fd == signals.fd() && signals.take() != 0) return 130;
      if (fd == watcher.fd()) TRY(watcher.take());
    }
    if (const auto due = watcher.due(); due && due->count() == 0) TRY(watcher.act(&signals));
  }
}

}  // namespace

constinit const Command kWatchCommand{
    "watch",
    "[SERVICE...]",
    "Watch build context for service and rebuild/refresh containers when files are updated",
    kFlags,
    0,
    watch};

}  // namespace stack::cli
