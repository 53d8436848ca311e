#include "scheduler/run.h"

#include <utility>

#include "scheduler/reconcile.h"

namespace stack::scheduler {

// One run from its first look to its result. It keeps itself alive through the callbacks that it
// waits for.
struct RunHandle::State : std::enable_shared_from_this<RunHandle::State> {
  using Planner = std::function<Result<Plan>(const compose::Project&, const Observed&)>;

  State(RunContext c, ProgressSink p, RunDone d)
      : context(c), progress(std::move(p)), done(std::move(d)) {}

  RunContext context;
  ProjectPtr project;
  ObserveRequest request;
  bool rebuild_project = false;  // from labels
  Planner plan_first;            // images; may be empty
  Planner plan_main;
  bool dry_run = false;
  std::optional<Duration> wait_timeout;
  bool collect_images = false;  // build: step results are image ids

  ProgressSink progress;
  RunDone done;
  std::shared_ptr<Executor> executor;
  bool cancelled = false;
  bool finished = false;
  RunResult result;
  Subscription begin_timer;

  // Never from inside the function that starts the run.
  void begin_soon() {
    if (context.gate) return context.gate([self = shared_from_this()] { self->observe(); });
    begin_timer =
        context.timers.after(Duration{}, [self = shared_from_this()] { self->observe(); });
  }

  void observe() {
    if (stop_if_cancelled()) return;
    context.engine.observe(request, [self = shared_from_this()](Result<Observed> observed) {
      if (self->stop_if_cancelled()) return;
      if (!observed.ok()) return self->finish(std::move(observed).error());
      self->observed(*observed);
    });
  }

  void observed(const Observed& seen) {
    if (rebuild_project) {
      project =
          std::make_shared<const compose::Project>(project_from_labels(request.project, seen));
      rebuild_project = false;
    }
    Plan plan;
    if (plan_first) {
      auto first = std::exchange(plan_first, nullptr)(*project, seen);
      if (!first.ok()) return finish(std::move(first).error());
      if (!first->empty() && !dry_run) {
        return execute(std::move(*first), [](State& self) { self.observe(); });
      }
      plan = std::move(*first);
    }
    auto main = plan_main(*project, seen);
    if (!main.ok()) return finish(std::move(main).error());
    append(plan, std::move(*main));
    if (dry_run) {
      if (progress) {
        for (const std::string& warning : plan.warnings) progress(Warning{warning});
      }
      collect(plan, {});
      result.plan = std::move(plan);
      return finish(ok_status());
    }
    preflight(std::move(plan));
  }

  void preflight(Plan plan) {
    Preflight what;
    for (const Step& step : plan.steps) {
      if (const auto* start = std::get_if<StartContainer>(&step.op)) {
        what.starting_services.push_back(start->container.service);
      } else if (const auto* stop = std::get_if<StopContainer>(&step.op)) {
        what.stopping_ids.push_back(stop->container.id);
      } else if (const auto* remove = std::get_if<RemoveContainer>(&step.op)) {
        what.stopping_ids.push_back(remove->container.id);
      }
    }
    if (what.starting_services.empty()) return execute_main(std::move(plan));
    context.engine.preflight(
        project, what,
        [self = shared_from_this(), plan = std::make_shared<Plan>(std::move(plan))](Status status) {
          if (self->stop_if_cancelled()) return;
          if (!status.ok()) return self->finish(std::move(status).error());
          self->execute_main(std::move(*plan));
        });
  }

  void execute_main(Plan plan) {
    execute(std::move(plan), [](State& self) { self.finish(ok_status()); });
  }

  void execute(Plan plan, std::function<void(State&)> next) {
    const auto kept = std::make_shared<const Plan>(plan);
    executor =
        Executor::make(context, project, std::move(plan), {wait_timeout}, progress,
                       [self = shared_from_this(), kept, next = std::move(next)](Outcome outcome) {
                         self->executor = nullptr;
                         self->collect(*kept, outcome.results);
                         self->result.plan = *kept;
                         if (!outcome.status.ok())
                           return self->finish(std::move(outcome.status).error());
                         next(*self);
                       });
    executor->start();
  }

  void collect(const Plan& plan, const std::map<int, OperationResult>& results) {
    result.containers.clear();
    for (const ContainerRef& target : plan.targets) {
      std::string id = target.id;
      if (const auto created = results.find(target.created_by);
          id.empty() && created != results.end()) {
        id = created->second.id;
      }
      result.containers.push_back({id, target.name, target.service, target.number});
    }
    if (!result.containers.empty()) result.created = result.containers.front();
    if (!collect_images) return;
    for (const Step& step : plan.steps) {
      const auto* image = std::get_if<EnsureImage>(&step.op);
      const auto made = results.find(step.id);
      if (image != nullptr && made != results.end())
        result.images[image->service] = made->second.id;
    }
  }

  bool stop_if_cancelled() {
    if (finished) return true;
    if (cancelled) finish(Error::make(ErrorKind::kCancelled, "cancelled"));
    return finished;
  }

  void finish(Status status) {
    if (std::exchange(finished, true)) return;
    const RunDone call = std::exchange(done, nullptr);
    progress = nullptr;
    if (status.ok()) {
      call(std::move(result));
    } else {
      call(std::move(status).error());
    }
  }

  // For a dry run: the second plan continues the numbers of the first.
  static void append(Plan& plan, Plan more) {
    const int offset = static_cast<int>(plan.steps.size());
    const auto shift = [offset](std::vector<int>& ids) {
      for (int& id : ids) id += offset;
    };
    for (Step& step : more.steps) {
      step.id += offset;
      shift(step.after);
      shift(step.settled);
      if (ContainerRef* ref = container_of(step.op); ref != nullptr && ref->created_by != 0)
        ref->created_by += offset;
      plan.steps.push_back(std::move(step));
    }
    const auto append_refs = [offset](std::vector<ContainerRef>& to,
                                      std::vector<ContainerRef> refs) {
      for (ContainerRef& ref : refs) {
        if (ref.created_by != 0) ref.created_by += offset;
        to.push_back(std::move(ref));
      }
    };
    append_refs(plan.targets, std::move(more.targets));
    append_refs(plan.replicas, std::move(more.replicas));
    for (auto& warning : more.warnings) plan.warnings.push_back(std::move(warning));
    for (auto& event : more.kept) plan.kept.push_back(std::move(event));
  }
};

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
  run->project = std::move(project);
  run->dry_run = options.dry_run;
  run->wait_timeout = seconds_limit(options.wait_timeout);
  const bool ready = !options.dry_run;
  run->plan_first = [options](const compose::Project& p, const Observed& o) {
    return plan_images(p, o, options);
  };
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
