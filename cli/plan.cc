// plan, rollback and revisions.
#include <fmt/core.h>

#include <cstdlib>

#include "base/files.h"
#include "cli/plan_file.h"
#include "cli/project_run.h"
#include "cli/table.h"
#include "cli/up_options.h"
#include "cli/verbs.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

constexpr int kChanges = 2;  // the exit code of a plan that has something to do

constexpr FlagSpec kPlanFlags[] = {
    {"always-recreate-deps", 0, FlagType::kBool, "As of up"},
    {"build", 0, FlagType::kBool, "As of up"},
    {"force-recreate", 0, FlagType::kBool, "As of up"},
    {"format", 0, FlagType::kString, "Format of the plan (\"text\"|\"json\")", "text"},
    {"no-build", 0, FlagType::kBool, "As of up"},
    {"no-deps", 0, FlagType::kBool, "As of up"},
    {"no-recreate", 0, FlagType::kBool, "As of up"},
    {"no-start", 0, FlagType::kBool, "As of up"},
    {"output", 'o', FlagType::kString, "Write the plan to a file for `up --plan`"},
    {"pull", 0, FlagType::kString, "As of up", "policy"},
    {"remove-orphans", 0, FlagType::kBool, "As of up"},
    {"renew-anon-volumes", 'V', FlagType::kBool, "As of up"},
    {"scale", 0, FlagType::kList, "As of up"},
    {"timeout", 't', FlagType::kInt, "As of up"},
    {"yes", 'y', FlagType::kBool, "As of up"},
};
constexpr FlagSpec kRollbackFlags[] = {
    {"list", 0, FlagType::kBool, "Show the revisions there are"},
    {"timeout", 't', FlagType::kInt, "Use this timeout in seconds for container shutdown"},
    {"wait", 0, FlagType::kBool, "Wait for services to be running|healthy"},
};
constexpr FlagSpec kRevisionsFlags[] = {
    {"format", 0, FlagType::kString, "Format of the list (\"table\"|\"json\")", "table"},
};

Result<int> plan(Context& context, const Arguments& args) {
  TRY(check_up_flags(args));
  const std::string format = args.text("format");
  if (format != "text" && format != "json")
    return Error::invalid(fmt::format("invalid value for --format: \"{}\"", format))
        .fix("Use text or json.");
  const compose::Project* project = TRY(context.project(args.positional));
  TRY(check_services(*project, args.positional));
  ProjectRequest request;
  request.verb = "up";
  request.title = "Planning";
  request.scope = {project->name, project};
  request.options = TRY(up_options(args, *project));
  request.quiet_steps = true;
  context.set_dry_run();
  const auto outcome = TRY(call_project(context, request));
  const PlanView view = TRY(parse_plan(outcome.plan));
  if (args.given("output"))
    TRY(write_file(args.text("output"), plan_document(request, outcome.plan), 0600));
  print(format == "json" ? plan_document(request, outcome.plan) : plan_text(view, project->name));
  return view.changes == 0 ? 0 : kChanges;
}

Result<int> list_revisions(Context& context, const std::string& format) {
  const ProjectScope scope = TRY(context.scope());
  const Engine* engine = TRY(context.engine());
  const std::string json =
      TRY(engine->http().get(fmt::format("/stack/projects/{}/revisions", url_encode(scope.name))));
  if (format == "json") {
    print(json + "\n");
    return 0;
  }
  std::vector<Row> rows = {{"REVISION", "TIME", "WHO", "WHY", "SERVICES"}};
  for (const RevisionRow& row : TRY(parse_revisions(json)))
    rows.push_back({std::to_string(row.number), row.time, row.who, row.why, row.services});
  print(render_table(rows, 0));
  return 0;
}

Result<int> revisions(Context& context, const Arguments& args) {
  return list_revisions(context, args.text("format"));
}

Result<int> rollback(Context& context, const Arguments& args) {
  if (args.on("list")) return list_revisions(context, "table");
  if (args.positional.size() > 1) return Error::invalid("rollback takes one revision at most");
  ProjectRequest request;
  request.verb = "rollback";
  request.title = "Running";
  request.scope = TRY(context.scope());
  if (!args.positional.empty()) {
    const std::string& text = args.positional.front();
    if (text.find_first_not_of("0123456789") != std::string::npos || text.size() > 8 || text == "0")
      return Error::invalid(fmt::format("invalid revision \"{}\"", text))
          .fix("Use a number of `stack rollback --list`.");
    request.options.add("revision", std::atoi(text.c_str()));
  }
  request.scope.project = nullptr;  // the engine has it
  if (const auto timeout = args.number("timeout"))
    request.options.add("timeout", std::int64_t{*timeout});
  if (args.on("wait")) request.options.add("wait", true);
  return run_project(context, request);
}

}  // namespace

constinit const Command kPlanCommand{
    "plan",
    "[OPTIONS] [SERVICE...]",
    "Show what up would do, and why (exit code: 0 nothing, 2 something, 1 error)",
    kPlanFlags,
    0,
    plan};
constinit const Command kRollbackCommand{"rollback",
                                         "[OPTIONS] [REVISION]",
                                         "Go back to an earlier revision of the project",
                                         kRollbackFlags,
                                         0,
                                         rollback};
constinit const Command kRevisionsCommand{
    "revisions", "[OPTIONS]", "List the revisions of the project", kRevisionsFlags, 0, revisions};

}  // namespace stack::cli
