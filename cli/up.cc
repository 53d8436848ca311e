// up and create.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>

#include "base/fd.h"
#include "cli/attached_up.h"
#include "cli/plan_file.h"
#include "cli/project_run.h"
#include "cli/up_call.h"
#include "cli/up_options.h"
#include "cli/verbs.h"
#include "cli/watch_actions.h"
#include "compose/loader.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kUpFlags[] = {
    {"abort-on-container-exit", 0, FlagType::kBool,
     "Stops all containers if any container was stopped. Incompatible with -d"},
    {"abort-on-container-failure", 0, FlagType::kBool,
     "Stops all containers if any container exited with failure. Incompatible with -d"},
    {"always-recreate-deps", 0, FlagType::kBool,
     "Recreate dependent containers. Incompatible with --no-recreate."},
    {"attach", 0, FlagType::kList,
     "Restrict attaching to the specified services. Incompatible with --attach-dependencies."},
    {"attach-dependencies", 0, FlagType::kBool,
     "Automatically attach to log output of dependent services"},
    {"build", 0, FlagType::kBool, "Build images before starting containers"},
    {"detach", 'd', FlagType::kBool, "Detached mode: Run containers in the background"},
    {"exit-code-from", 0, FlagType::kString,
     "Return the exit code of the selected service container. Implies --abort-on-container-exit"},
    {"force-recreate", 0, FlagType::kBool,
     "Recreate containers even if their configuration and image haven't changed"},
    {"menu", 0, FlagType::kBool, "", "", true},
    {"no-attach", 0, FlagType::kList, "Do not attach (stream logs) to the specified services"},
    {"no-build", 0, FlagType::kBool, "Don't build an image, even if it's policy"},
    {"no-color", 0, FlagType::kBool, "Produce monochrome output"},
    {"no-deps", 0, FlagType::kBool, "Don't start linked services"},
    {"no-log-prefix", 0, FlagType::kBool, "Don't print prefix in logs"},
    {"no-recreate", 0, FlagType::kBool,
     "If containers already exist, don't recreate them. Incompatible with --force-recreate."},
    {"no-start", 0, FlagType::kBool, "Don't start the services after creating them"},
    {"plan", 0, FlagType::kString,
     "Do what the plan in a file (see `stack plan`) says, if it still holds"},
    {"pull", 0, FlagType::kString, "Pull image before running (\"always\"|\"missing\"|\"never\")",
     "policy"},
    {"quiet-build", 0, FlagType::kBool, "Suppress the build output"},
    {"quiet-pull", 0, FlagType::kBool, "Pull without printing progress information"},
    {"remove-orphans", 0, FlagType::kBool,
     "Remove containers for services not defined in the Compose file"},
    {"renew-anon-volumes", 'V', FlagType::kBool,
     "Recreate anonymous volumes instead of retrieving data from the previous containers"},
    {"scale", 0, FlagType::kList,
     "Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present."},
    {"timeout", 't', FlagType::kInt,
     "Use this timeout in seconds for container shutdown when attached or when containers are "
     "already running"},
    {"timestamps", 0, FlagType::kBool, "Show timestamps"},
    {"wait", 0, FlagType::kBool, "Wait for services to be running|healthy. Implies detached mode."},
    {"wait-timeout", 0, FlagType::kInt,
     "Maximum duration in seconds to wait for the project to be running|healthy"},
    {"watch", 'w', FlagType::kBool,
     "Watch source code and rebuild/refresh containers when files are updated."},
    {"yes", 'y', FlagType::kBool,
     "Assume \"yes\" as answer to all prompts and run non-interactively"},
};

constexpr FlagSpec kCreateFlags[] = {
    {"build", 0, FlagType::kBool, "Build images before starting containers"},
    {"force-recreate", 0, FlagType::kBool,
     "Recreate containers even if their configuration and image haven't changed"},
    {"no-build", 0, FlagType::kBool, "Don't build an image, even if it's policy"},
    {"no-recreate", 0, FlagType::kBool,
     "If containers already exist, don't recreate them. Incompatible with --force-recreate."},
    {"pull", 0, FlagType::kString,
     "Pull image before running (\"always\"|\"missing\"|\"never\"|\"build\")", "policy"},
    {"quiet-pull", 0, FlagType::kBool, "Pull without printing progress information"},
    {"remove-orphans", 0, FlagType::kBool,
     "Remove containers for services not defined in the Compose file"},
    {"scale", 0, FlagType::kList,
     "Scale SERVICE to NUM instances. Overrides the scale setting in the Compose file if present."},
    {"yes", 'y', FlagType::kBool,
     "Assume \"yes\" as answer to all prompts and run non-interactively"},
};

// `up --plan FILE`: the declaration and the options are those of the file.
Result<int> up_as_planned(Context& context, const Arguments& args) {
  if (!args.positional.empty() || args.given("scale"))
    return Error::invalid("--plan cannot be combined with services or --scale")
        .fix("The plan says which services it is for: give them to `stack plan`.");
  const PlanFile file = TRY(read_plan_file(args.text("plan")));
  auto project =
      std::make_shared<compose::Project>(TRY(compose::load_canonical(file.project_json)));
  project->working_dir = file.working_dir;
  project->config_files = file.config_files;
  project->environment_files = file.environment_files;
  for (const std::string& name : file.disabled_services) project->disabled_services[name] = {};
  ProjectRequest request;
  request.verb = "up";
  request.title = "Running";
  request.scope = {file.name, project.get()};
  request.options = TRY(options_of(file));
  if (args.on("detach") || args.on("wait") || context.dry_run())
    return run_up(context, request, args);
  return attached_up(context, args, request);
}

Result<int> up(Context& context, const Arguments& args) {
  TRY(check_up_flags(args));
  if (args.given("plan")) return up_as_planned(context, args);
  if (args.on("watch") && (args.on("detach") || args.on("wait"))) {
    return Error::invalid("--detach and --watch cannot be combined")
        .fix("Use `stack up -d` and then `stack watch --no-up`.");
  }
  const std::vector<std::string>& services = args.positional;
  const compose::Project* project = TRY(context.project(services));
  if (project->services.empty() && project->networks.empty() && project->volumes.empty())
    return Error::invalid("no service selected");
  TRY(check_services(*project, services));
  if (args.on("watch")) TRY(Watcher::check(*project, services));
  ProjectRequest request;
  request.verb = "up";
  request.title = "Running";
  request.scope = {project->name, project};
  request.options = TRY(up_options(args, *project));
  if (context.globals().all_resources) request.options.add("all_resources", true);
  request.quiet_log = args.on("quiet-build");
  if (args.on("detach") || args.on("wait") || args.on("no-start") || context.dry_run()) {
    return run_up(context, request, args);
  }
  return attached_up(context, args, request);
}

Result<int> create(Context& context, const Arguments& args) {
  TRY(check_up_flags(args));
  const compose::Project* project = TRY(context.project(args.positional));
  if (project->services.empty()) return 0;  // as Docker Compose, which has `up` alone fail
  TRY(check_services(*project, args.positional));
  ProjectRequest request;
  request.verb = "up";
  request.title = "Creating";
  request.scope = {project->name, project};
  request.options = TRY(up_options(args, *project));
  request.options.add("no_start", true);
  return run_up(context, request, args);
}

}  // namespace

constinit const Command kUpCommand{
    "up", "[OPTIONS] [SERVICE...]", "Create and start containers", kUpFlags, 0, up};
constinit const Command kCreateCommand{
    "create", "[OPTIONS] [SERVICE...]", "Creates containers for a service", kCreateFlags, 0,
    create};

}  // namespace stack::cli
