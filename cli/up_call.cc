#include "cli/up_call.h"

#include <memory>

#include "cli/provider.h"
#include "cli/terminal.h"

namespace stack::cli {

Result<ProjectLine::Outcome> call_up(Context& context, ProjectRequest& request,
                                     std::shared_ptr<const compose::Project>& holder,
                                     const Arguments& args, SignalWatch* signals,
                                     int* failure_code) {
  if (has_providers(*request.scope.project)) {
    auto project = std::make_shared<compose::Project>(*request.scope.project);
    TRY(run_providers(context, *project, args.positional, !args.on("no-deps")));
    holder = std::move(project);
    request.scope.project = holder.get();
  }
  ProjectRequest asking = request;
  if (!args.on("yes") && !context.dry_run()) asking.options.add("ask", true);
  auto outcome = TRY(call_project(context, asking, signals, failure_code));
  if (outcome.questions.empty()) return outcome;

  std::vector<std::string> recreate;
  for (const ProjectLine::Question& question : outcome.questions) {
    if (confirm(question.text)) recreate.push_back(question.volume);
  }
  request.options.add("recreate_volumes", recreate);
  return call_project(context, request, signals, failure_code);
}

Result<int> run_up(Context& context, ProjectRequest& request, const Arguments& args) {
  int failure_code = 1;
  std::shared_ptr<const compose::Project> holder;
  const auto outcome = call_up(context, request, holder, args, nullptr, &failure_code);
  if (outcome.ok()) return 0;
  if (failure_code == 1 || outcome.error().kind == ErrorKind::kCancelled) return outcome.error();
  print_error(outcome.error());
  return failure_code;
}

}  // namespace stack::cli
