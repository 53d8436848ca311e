// enable, disable: whether a project comes back when the machine starts.
#include <fmt/core.h>

#include "base/files.h"
#include "cli/project_run.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr const char* kUnit = "/lib/systemd/system/stack.service";
constexpr const char* kEnabledUnit = "/etc/systemd/system/multi-user.target.wants/stack.service";

Result<std::string> tell(Context& context, const char* verb) {
  ProjectRequest request;
  request.verb = verb;
  request.title = "Running";
  request.scope = TRY(context.scope());
  if (!context.dry_run()) TRY(call_project(context, request));
  return request.scope.name;
}

Result<int> enable(Context& context, const Arguments&) {
  const std::string name = TRY(tell(context, "enable"));
  print(fmt::format("Project {} comes back when the machine starts.\n", name));
  if (!exists(kUnit)) {
    context.warn(
        "stack.service is not installed, so nothing starts the engine then; see packaging/");
  } else if (!exists(kEnabledUnit)) {
    context.warn("nothing starts the engine then; run once: systemctl enable stack.service");
  }
  return 0;
}

Result<int> disable(Context& context, const Arguments&) {
  print(fmt::format("Project {} stays down when the machine starts.\n",
                    TRY(tell(context, "disable"))));
  return 0;
}

}  // namespace

constinit const Command kEnableCommand{
    "enable", "", "Bring the project back when the machine starts", {}, 0, enable};
constinit const Command kDisableCommand{
    "disable", "", "Leave the project down when the machine starts", {}, 0, disable};

}  // namespace stack::cli
