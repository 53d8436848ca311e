// down.
#include <fmt/core.h>

#include "cli/project_run.h"
#include "cli/provider.h"
#include "cli/verbs.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"remove-orphans", 0, FlagType::kBool,
     "Remove containers for services not defined in the Compose file"},
    {"rmi", 0, FlagType::kString,
     "Remove images used by services. \"local\" remove only images that don't have a custom tag "
     "(\"local\"|\"all\")"},
    {"timeout", 't', FlagType::kInt, "Specify a shutdown timeout in seconds"},
    {"volumes", 'v', FlagType::kBool,
     "Remove named volumes declared in the \"volumes\" section of the Compose file and anonymous "
     "volumes attached to containers"},
};

Result<int> down(Context& context, const Arguments& args) {
  const std::string rmi = args.text("rmi");
  if (args.given("rmi") && rmi != "local" && rmi != "all") {
    return Error::invalid(fmt::format("invalid value for --rmi: \"{}\"", rmi))
        .fix("Use local or all.");
  }
  ProjectRequest request;
  request.verb = "down";
  request.title = "Running";
  request.scope = TRY(context.scope(args.positional));
  if (request.scope.project != nullptr)
    TRY(check_services(*request.scope.project, args.positional));
  if (!args.positional.empty()) request.options.add("services", args.positional);
  if (args.on("remove-orphans") || environment_flag("COMPOSE_REMOVE_ORPHANS"))
    request.options.add("remove_orphans", true);
  if (args.on("volumes")) request.options.add("volumes", true);
  if (!rmi.empty()) request.options.add("rmi", rmi);
  if (const auto timeout = args.number("timeout"))
    request.options.add("timeout", std::int64_t{*timeout});
  const int code = TRY(run_project(context, request));
  if (code == 0 && request.scope.project != nullptr && has_providers(*request.scope.project))
    TRY(end_providers(context, *request.scope.project, args.positional));
  return code;
}

}  // namespace

constinit const Command kDownCommand{
    "down", "[OPTIONS] [SERVICES]", "Stop and remove containers, networks", kFlags, 0, down};

}  // namespace stack::cli
