#include "cli/project_run.h"

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/terminal.h"
#include "compose/project.h"
#include "compose/render.h"

namespace stack::cli {

namespace {

StepKind kind_of(const std::string& name) {
  if (name == "done") return StepKind::kDone;
  if (name == "warning") return StepKind::kWarning;
  if (name == "error") return StepKind::kError;
  return StepKind::kWorking;
}

// Who asks, for the history: behind sudo the one who called it.
std::string user_name() {
  if (std::string caller = environment_value("SUDO_USER"); !caller.empty()) return caller;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::getuid());
}

}  // namespace

std::string project_request_body(const ProjectRequest& request, bool dry_run) {
  JsonObject body;
  if (const compose::Project* project = request.scope.project) {
    body.add_json("project", compose::to_json(*project));
    body.add("working_dir", project->working_dir);
    body.add("config_files", project->config_files);
    body.add("environment_files", project->environment_files);
    std::vector<std::string> disabled;
    for (const auto& [name, service] : project->disabled_services) disabled.push_back(name);
    body.add("disabled_services", disabled);
    body.add("environment", compose::environment_of_files(*project));
  }
  if (!request.project_json.empty())
    body.add_json("project", request.project_json).add("working_dir", request.working_dir);
  if (!request.service.empty()) body.add("service", request.service);
  body.add("who", user_name() + ": stack " + request.verb);
  JsonObject options = request.options;
  if (dry_run) options.add("dry_run", true);
  body.add_json("options", options.text());
  return body.text();
}

Result<ProjectRun> ProjectRun::begin(const Context& context, const Engine& engine,
                                     const ProjectRequest& request) {
  ProjectRun run;
  const std::string target =
      fmt::format("/stack/projects/{}/{}", url_encode(request.scope.name), request.verb);
  run.printer_ = std::make_unique<ProgressPrinter>(context.progress_options(request.title));
  run.quiet_steps_ = request.quiet_steps;
  run.quiet_log_ = request.quiet_log;
  run.stream_ =
      TRY(engine.http().stream("POST", target, project_request_body(request, context.dry_run())));
  return run;
}

Result<bool> ProjectRun::take(std::string_view text) {
  if (text.empty()) return false;
  ProjectLine line = TRY(parse_project_line(text));
  if (line.step && !quiet_steps_) {
    printer_->event({line.step->id, line.step->parent, line.step->text, line.step->status,
                     kind_of(line.step->kind), line.step->current, line.step->total});
  }
  if (line.log && !quiet_log_) {
    printer_->log(line.log->id.empty() ? line.log->text
                                       : fmt::format("{} | {}", line.log->id, line.log->text));
  }
  if (line.warning) printer_->line(fmt::format("warning: {}", *line.warning));
  if (line.error) {
    printer_->finish();
    failure_code_ = line.error->exit_code;
    return Error::make(failure_code_ == 130 ? ErrorKind::kCancelled : ErrorKind::kInternal,
                       line.error->message)
        .fix(line.error->remedy);
  }
  if (line.result) {
    printer_->finish();
    outcome_ = std::move(line.result);
    return true;
  }
  return false;
}

Result<bool> ProjectRun::pump() {
  const bool more = TRY(stream_.read(pending_));
  std::size_t start = 0;
  for (;;) {
    const std::size_t newline = pending_.find('\n', start);
    if (newline == std::string::npos) break;
    const bool finished = TRY(take(std::string_view(pending_).substr(start, newline - start)));
    start = newline + 1;
    if (finished) return true;
  }
  pending_.erase(0, start);
  if (more) return false;
  if (TRY(take(pending_))) return true;
  printer_->finish();
  return Error::make(ErrorKind::kUnavailable, "the engine ended its answer without a result")
      .fix("Run the command again; the end of the engine's log (stackd.log) says what happened.");
}

Result<ProjectLine::Outcome> call_project(Context& context, const ProjectRequest& request,
                                          SignalWatch* signals, int* failure_code) {
  const Engine* engine = TRY(context.engine());
  std::optional<SignalWatch> own;
  if (signals == nullptr) {
    own.emplace(TRY(SignalWatch::watch({SIGINT, SIGTERM})));
    signals = &*own;
  }
  ProjectRun run = TRY(ProjectRun::begin(context, *engine, request));
  for (;;) {
    const int fds[] = {run.fd(), signals->fd()};
    const auto ready = wait_readable(
        fds, run.animated() ? std::optional(std::chrono::milliseconds(100)) : std::nullopt);
    for (const int fd : ready) {
      if (fd == signals->fd() && signals->take() != 0) {
        return Error::make(ErrorKind::kCancelled,
                           "interrupted: steps under way are finished, no others are begun")
            .fix("Run the command again to complete it.");
      }
      if (fd != run.fd()) continue;
      auto finished = run.pump();
      if (!finished.ok()) {
        if (failure_code != nullptr) *failure_code = run.failure_code();
        return std::move(finished).error();
      }
      if (*finished) return std::move(run.outcome());
    }
    run.tick();
  }
}

Result<int> run_project(Context& context, const ProjectRequest& request) {
  int failure_code = 1;
  const auto outcome = call_project(context, request, nullptr, &failure_code);
  if (outcome.ok()) return 0;
  if (failure_code == 1 || outcome.error().kind == ErrorKind::kCancelled) return outcome.error();
  print_error(outcome.error());
  return failure_code;
}

}  // namespace stack::cli
