// A run under way, from its first look to its result. Internal to run.cc.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "scheduler/inventory.h"
#include "scheduler/reconcile.h"
#include "scheduler/run.h"

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
  Planner plan_dry;  // as plan_main, for a world in which images may be missing
  std::string expected;
  std::optional<Fallback> fallback;
  std::optional<TimePoint> begun;
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
    if (!request.working_dir.empty()) {
      if (Status ours = check_directory(*project, seen); !ours.ok())
        return finish(std::move(ours).error());
    }
    if (Status same = as_expected(seen); !same.ok()) return finish(std::move(same).error());
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
    if (!plan.questions.empty()) {
      result.questions = std::move(plan.questions);
      return finish(ok_status());
    }
    if (dry_run) {
      result.fingerprint = fingerprint(plan, seen);
      tell(plan);
      collect(plan, {});
      result.plan = std::move(plan);
      return finish(ok_status());
    }
    preflight(std::move(plan));
  }

  // What a dry run shows: the words of the steps as if they had been done, each with its cause.
  void tell(const Plan& plan) {
    if (!progress) return;
    for (const std::string& warning : plan.warnings) progress(Warning{warning});
    for (const ProgressEvent& event : plan.kept) progress(event);
    for (const Step& step : plan.steps) {
      const std::string& word = step.done.empty() ? step.working : step.done;
      if (step.progress_id.empty() || word.empty()) continue;
      progress(ProgressEvent{step.progress_id, word, ProgressKind::kDone, step.cause, {}, 0, 0});
    }
  }

  // `up --plan`: the plan that was shown is the one that is made now.
  Status as_expected(const Observed& seen) {
    if (expected.empty()) return ok_status();
    Plan plan;
    if (plan_first) plan = TRY(plan_first(*project, seen));
    append(plan, TRY(plan_dry(*project, seen)));
    if (fingerprint(plan, seen) == std::exchange(expected, {})) return ok_status();
    return Error::conflict("the world has moved since the plan was made")
        .fix(
            "Make a new plan with `stack plan -o FILE`, look at it, and run `stack up --plan FILE` "
            "again.");
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
    if (!begun) begun = context.timers.now();
    const Duration offset = context.timers.now() - *begun;
    executor = Executor::make(
        context, project, std::move(plan), {wait_timeout}, progress,
        [self = shared_from_this(), kept, offset, next = std::move(next)](Outcome outcome) {
          self->executor = nullptr;
          self->collect(*kept, outcome.results);
          self->result.plan = *kept;
          self->keep_times(timed_steps(*kept, outcome.times), offset);
          if (!outcome.status.ok()) return self->failed(*kept, std::move(outcome));
          next(*self);
        });
    executor->start();
  }

  // The images' plan and the main one become one: what the latter begins with waited for the
  // former.
  void keep_times(std::vector<TimedStep> steps, Duration offset) {
    int shift = 0;
    int last = 0;
    Duration latest{-1};
    for (const TimedStep& step : result.times) {
      shift = std::max(shift, step.id);
      if (step.ended > latest) {
        latest = step.ended;
        last = step.id;
      }
    }
    for (TimedStep& step : steps) {
      step.id += shift;
      for (int& id : step.after) id += shift;
      if (step.after.empty() && last != 0) step.after.push_back(last);
      step.began += offset;
      step.ended += offset;
      result.times.push_back(std::move(step));
    }
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
    // The gate may hold what holds our handle: without it the two would keep each other for ever.
    const auto self = shared_from_this();
    context.gate = nullptr;
    const RunDone call = std::exchange(done, nullptr);
    progress = nullptr;
    if (status.ok()) {
      call(std::move(result));
    } else {
      call(std::move(status).error());
    }
  }

  // An update that failed is taken back when the service says so: the earlier declaration is
  // brought about.
  void failed(const Plan& plan, Outcome outcome) {
    UpOptions options;
    for (const std::string& service : outcome.failed_updates) {
      if (plan.rolls_back.contains(service) && fallback &&
          fallback->project->services.contains(service))
        options.services.push_back(service);
    }
    Error error = std::move(outcome.status).error();
    if (options.services.empty() || cancelled) return finish(std::move(error));
    options.no_deps = true;
    options.ignore_orphans = true;
    options.rollback = true;
    options.pinned_images = fallback->images;
    project = fallback->project;
    if (progress)
      progress(Warning{fmt::format("{}: going back to {}", error.message, fallback->name)});
    ObserveRequest earlier = what_to_observe(*project);
    earlier.working_dir.clear();
    context.engine.observe(earlier, [self = shared_from_this(), options,
                                     error = std::move(error)](Result<Observed> seen) mutable {
      self->roll_back(std::move(seen), options, std::move(error));
    });
  }

  void roll_back(Result<Observed> seen, const UpOptions& options, Error error) {
    const auto not_taken_back = [&](const Error& why) {
      error.message +=
          fmt::format("; going back to {} failed: {}", fallback->name, why.to_string());
      finish(std::move(error));
    };
    if (!seen.ok()) return not_taken_back(seen.error());
    auto plan = plan_up(*project, *seen, options, true);
    if (!plan.ok()) return not_taken_back(plan.error());
    executor = Executor::make(
        context, project, std::move(*plan), {}, progress,
        [self = shared_from_this(), error = std::move(error)](Outcome outcome) mutable {
          self->executor = nullptr;
          error.message += outcome.status.ok()
                               ? "; went back to " + self->fallback->name
                               : fmt::format("; going back to {} failed: {}", self->fallback->name,
                                             outcome.status.error().to_string());
          self->finish(std::move(error));
        });
    executor->start();
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
    plan.services.merge(more.services);
    plan.rolls_back.merge(more.rolls_back);
    for (auto& question : more.questions) plan.questions.push_back(std::move(question));
    for (auto& warning : more.warnings) plan.warnings.push_back(std::move(warning));
    for (auto& event : more.kept) plan.kept.push_back(std::move(event));
  }
};

}  // namespace stack::scheduler
