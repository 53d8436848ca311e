#include "scheduler/run.h"

#include <utility>

#include "scheduler/reconcile.h"
#include "scheduler/run_state.h"

namespace stack::scheduler {

void RunHandle::cancel() {
  if (!state_ || state_->finished || state_->cancelled) return;
  state_->cancelled = true;
  if (const auto executor = state_->executor) executor->cancel();
}

bool RunHandle::finished() const { return !state_ || state_->finished; }

namespace {

std::optional<Duration> seconds_limit(std::optional<int> limit) {
  if (!limit || *limit <= 0) return std::nullopt;
  return std::chrono::seconds(*limit);
}

}  // namespace

RunHandle start_up(RunContext context, ProjectPtr project, UpOptions options, ProgressSink progress,
                   RunDone done) {
  auto run = std::make_shared<RunHandle::State>(context, std::move(progress), std::move(done));
  run->request = what_to_observe(*project);
  if (options.only_missing) run->request.working_dir.clear();  // it was ours when it was declared
  run->project = std::move(project);
  run->dry_run = options.dry_run;
  run->wait_timeout = seconds_limit(options.wait_timeout);
  const bool ready = !options.dry_run;
  run->plan_first = [options](const compose::Project& p, const Observed& o) {
    return plan_images(p, o, options);
  };
  run->plan_dry = [options](const compose::Project& p, const Observed& o) {
    return plan_up(p, o, options, false);
  };
  run->expected = options.expected;
  run->fallback = options.fallback;
  run->plan_main = [options = std::move(options), ready](const compose::Project& p,
                                                         const Observed& o) {
    return plan_up(p, o, options, ready);
  };
  run->begin_soon();
  return RunHandle(run);
}

RunHandle start_run(RunContext context, ProjectPtr project, RunOptions options,
                    ProgressSink progress, RunDone done) {
  auto run = std::make_shared<RunHandle::State>(context, std::move(progress), std::move(done));
  run->request = what_to_observe(*project);
  run->project = std::move(project);
  run->dry_run = options.dry_run;
  const bool ready = !options.dry_run;
  run->plan_first = [images = run_images(options)](const compose::Project& p, const Observed& o) {
    return plan_images(p, o, images);
  };
  run->plan_main = [options = std::move(options), ready](const compose::Project& p,
                                                         const Observed& o) {
    return plan_run(p, o, options, ready);
  };
  run->begin_soon();
  return RunHandle(run);
}

RunHandle start_build(RunContext context, ProjectPtr project, ImageOptions options,
                      ProgressSink progress, RunDone done) {
  auto run = std::make_shared<RunHandle::State>(context, std::move(progress), std::move(done));
  run->request.project = project->name;
  run->project = std::move(project);
  run->dry_run = options.dry_run;
  run->collect_images = true;
  run->plan_main = [options = std::move(options)](const compose::Project& p, const Observed&) {
    return plan_build(p, options);
  };
  run->begin_soon();
  return RunHandle(run);
}

RunHandle start_pull(RunContext context, ProjectPtr project, ImageOptions options,
                     ProgressSink progress, RunDone done) {
  auto run = std::make_shared<RunHandle::State>(context, std::move(progress), std::move(done));
  run->request = what_to_observe(*project);
  run->request.working_dir.clear();  // no container is touched
  run->project = std::move(project);
  run->dry_run = options.dry_run;
  run->plan_main = [options = std::move(options)](const compose::Project& p, const Observed& o) {
    return plan_pull(p, o, options);
  };
  run->begin_soon();
  return RunHandle(run);
}

RunHandle start_down(RunContext context, std::string name, ProjectPtr project, DownOptions options,
                     ProgressSink progress, RunDone done) {
  auto run = std::make_shared<RunHandle::State>(context, std::move(progress), std::move(done));
  if (project) {
    run->request = what_to_observe(*project);
    run->request.images.clear();
  }
  run->request.project = std::move(name);
  run->rebuild_project = project == nullptr;
  run->project = std::move(project);
  run->dry_run = options.dry_run;
  run->plan_main = [options = std::move(options)](const compose::Project& p, const Observed& o) {
    return plan_down(p, o, options);
  };
  run->begin_soon();
  return RunHandle(run);
}

RunHandle start_verb(RunContext context, Verb verb, std::string name, ProjectPtr project,
                     ServicesOptions options, ProgressSink progress, RunDone done) {
  auto run = std::make_shared<RunHandle::State>(context, std::move(progress), std::move(done));
  run->request.project = std::move(name);
  run->rebuild_project = project == nullptr;
  if (project) run->request.working_dir = project->working_dir;
  run->project = std::move(project);
  run->dry_run = options.dry_run;
  run->wait_timeout = seconds_limit(options.wait_timeout);
  run->plan_main = [verb, options = std::move(options)](const compose::Project& p,
                                                        const Observed& o) {
    return plan_verb(verb, p, o, options);
  };
  run->begin_soon();
  return RunHandle(run);
}

}  // namespace stack::scheduler
