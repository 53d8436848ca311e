#include "scheduler/executor.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "scheduler/conditions.h"
#include "scheduler/inventory.h"

namespace stack::scheduler {

namespace {

constexpr Duration kTick = std::chrono::seconds(1);
// With --wait, a container without a health check has to run for this long: many mistakes end it at
// once.
constexpr Duration kSteady = std::chrono::milliseconds(200);

// Stopping and hooks wait for somebody else most of the time: holding them back would only make
// them add up.
bool is_limited(const Operation& op) {
  return !std::holds_alternative<StopContainer>(op) && !std::holds_alternative<RunHook>(op) &&
         !std::holds_alternative<EnsureImage>(op) && !std::holds_alternative<AwaitCondition>(op) &&
         !std::holds_alternative<Milestone>(op);
}

bool is_final_wait(const Operation& op) {
  const auto* await = std::get_if<AwaitCondition>(&op);
  return await != nullptr && await->final;
}

bool is_removal_of_resource(const Operation& op) {
  return std::holds_alternative<RemoveNetwork>(op) || std::holds_alternative<RemoveVolume>(op) ||
         std::holds_alternative<RemoveImage>(op);
}

}  // namespace

std::shared_ptr<Executor> Executor::make(RunContext context, ProjectPtr project, Plan plan,
                                         Options options, ProgressSink progress, Done done) {
  return std::shared_ptr<Executor>(new Executor(context, std::move(project), std::move(plan),
                                                options, std::move(progress), std::move(done)));
}

Executor::Executor(RunContext context, ProjectPtr project, Plan plan, Options options,
                   ProgressSink progress, Done done)
    : context_(context),
      project_(std::move(project)),
      plan_(std::move(plan)),
      options_(options),
      progress_(std::move(progress)),
      done_(std::move(done)),
      states_(plan_.steps.size()),
      left_(plan_.steps.size()) {
  for (const Step& s : plan_.steps) {
    StepState& mine = state(s.id);
    mine.pending = static_cast<int>(s.after.size() + s.settled.size());
    for (const int id : s.after) state(id).followers.push_back(s.id);
    for (const int id : s.settled) state(id).observers.push_back(s.id);
    if (mine.pending == 0) {
      mine.state = State::kReady;
      ready_.push_back(s.id);
    }
    if (is_final_wait(s.op)) ++final_left_;
  }
}

void Executor::start() {
  if (progress_) {
    for (const std::string& warning : plan_.warnings) progress_(Warning{warning});
    for (const ProgressEvent& event : plan_.kept) progress_(event);
  }
  arm_wait_timeout();
  pump();
}

void Executor::cancel() {
  if (cancelled_ || finished_) return;
  cancelled_ = true;
  error_ = Error::make(ErrorKind::kCancelled, "cancelled");
  stop_.request_stop();
  for (const int id : std::exchange(awaiting_, {})) settle(id, State::kSkipped);
  pump();
}

// One loop instead of calls within calls: an engine may finish an operation before perform()
// returns.
void Executor::pump() {
  if (pumping_ || finished_) return;
  const auto self = shared_from_this();
  pumping_ = true;
  std::vector<int> held_back;
  while (next_ready_ < ready_.size()) {
    const int id = ready_[next_ready_++];
    if (cancelled_) {
      settle(id, State::kSkipped);
    } else if (is_limited(step(id).op) && busy_ >= context_.max_parallel) {
      held_back.push_back(id);
    } else {
      launch(id);
    }
  }
  ready_ = std::move(held_back);
  next_ready_ = 0;
  pumping_ = false;
  finish_if_over();
}

void Executor::launch(int id) {
  state(id).state = State::kRunning;
  Operation& op = step(id).op;
  if (std::holds_alternative<Milestone>(op)) {
    settle(id, State::kDone);
  } else if (auto* await = std::get_if<AwaitCondition>(&op)) {
    begin_await(id, *await);
  } else {
    perform(id);
  }
}

void Executor::perform(int id) {
  Step& s = step(id);
  const auto resolve = [this](ContainerRef& ref) {
    if (ref.id.empty() && ref.created_by != 0) ref.id = results_[ref.created_by].id;
  };
  if (ContainerRef* container = container_of(s.op)) resolve(*container);
  if (!s.working.empty()) say(s.progress_id, s.working, ProgressKind::kWorking);
  ++running_;
  if (is_limited(s.op)) ++busy_;
  context_.engine.perform(project_, s.op, progress_, stop_.get_token(),
                          [self = shared_from_this(), id](Result<OperationResult> result) {
                            self->performed(id, std::move(result));
                            self->pump();
                          });
}

void Executor::performed(int id, Result<OperationResult> result) {
  Step& s = step(id);
  --running_;
  if (is_limited(s.op)) --busy_;
  if (!result.ok() && is_removal_of_resource(s.op)) {
    const ErrorKind kind = result.error().kind;
    if (kind == ErrorKind::kConflict || kind == ErrorKind::kNotFound) {
      say(s.progress_id,
          kind == ErrorKind::kConflict ? "Resource is still in use" : "No resource found to remove",
          ProgressKind::kWarning);
      return settle(id, State::kDone);
    }
  }
  if (!result.ok()) return fail(id, std::move(result).error());
  if (std::holds_alternative<RunHook>(s.op) && result->exit_code != 0) {
    return fail(id, Error::invalid(fmt::format("{} hook exited with status {}",
                                               container_of(s.op)->service, result->exit_code)));
  }
  results_[id] = std::move(*result);
  if (!s.done.empty()) say(s.progress_id, s.done, ProgressKind::kDone);
  settle(id, State::kDone);
}

void Executor::fail(int id, Error error) {
  const Step& s = step(id);
  std::string name = s.progress_id;
  if (const ContainerRef* container = container_of(s.op); name.empty() && container != nullptr) {
    name = "Container " + container->name;
  }
  if (!name.empty()) say(name, "Error", ProgressKind::kError, error.to_string());
  if (!error_) error_ = std::move(error);
  settle(id, State::kFailed);
}

void Executor::settle(int id, State end) {
  StepState& mine = state(id);
  mine.state = end;
  --left_;
  if (is_final_wait(step(id).op)) --final_left_;
  const auto release = [this](int next) {
    if (--state(next).pending > 0) return;
    // What cannot run is over at once, and so is what comes after it.
    state(next).state = State::kReady;
    if (state(next).blocked) {
      settle(next, State::kSkipped);
    } else {
      ready_.push_back(next);
    }
  };
  for (const int next : mine.followers) {
    if (end != State::kDone) state(next).blocked = true;
    release(next);
  }
  for (const int next : mine.observers) {
    if (end != State::kDone) state(next).predecessor_failed = true;
    release(next);
  }
}

void Executor::finish_if_over() {
  if (finished_) return;
  arm_wait_timeout();
  if (left_ > 0) return;
  finished_ = true;
  watch_.reset();
  tick_.reset();
  deadline_.reset();
  Outcome outcome;
  if (error_) outcome.status = std::move(*error_);
  outcome.results = std::move(results_);
  const Done done = std::exchange(done_, nullptr);
  done(std::move(outcome));
}

void Executor::arm_wait_timeout() {
  if (!options_.wait_timeout || deadline_ || final_left_ == 0 || left_ > final_left_) return;
  deadline_ = context_.timers.after(*options_.wait_timeout, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->finished_) return;
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(*self->options_.wait_timeout).count();
    if (!self->error_) {
      self->error_ = Error::make(ErrorKind::kTimeout,
                                 fmt::format("application not healthy after {}s", seconds));
    }
    for (const int id : std::exchange(self->awaiting_, {})) self->settle(id, State::kFailed);
    self->pump();
  });
}

void Executor::begin_await(int id, AwaitCondition& await) {
  if (!await.required && state(id).predecessor_failed) {
    const std::string text =
        fmt::format("optional dependency \"{}\" failed to start", await.service);
    if (progress_) progress_(Warning{text});
    return settle(id, State::kDone);
  }
  // A look that is under way may have seen the time before the start.
  state(id).first_look = looks_ + 1;
  state(id).began = context_.timers.now();
  awaiting_.push_back(id);
  if (!watch_) {
    watch_ = context_.engine.watch(project_->name, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look();
    });
  }
  look();
}

void Executor::look() {
  if (finished_ || awaiting_.empty()) return;
  if (looking_) {
    look_again_ = true;
    return;
  }
  looking_ = true;
  look_again_ = false;
  ++looks_;
  ObserveRequest request;
  request.project = project_->name;
  context_.engine.observe(request, [self = shared_from_this()](Result<Observed> observed) {
    self->looking_ = false;
    self->looked(std::move(observed));
    self->pump();
  });
}

void Executor::looked(Result<Observed> observed) {
  if (finished_) return;
  Replicas replicas;
  if (observed.ok()) {
    for (const ObservedContainer& c : observed->containers) {
      if (!c.one_off) replicas[c.service].push_back(&c);
    }
    for (auto& [service, containers] : replicas) containers = one_per_number(containers);
  }
  for (const int id : std::vector<int>(awaiting_)) {
    if (state(id).first_look > looks_) continue;
    if (!observed.ok()) {
      std::erase(awaiting_, id);
      fail(id, observed.error());
    } else {
      judge(id, replicas);
    }
  }
  if (awaiting_.empty()) return tick_.reset();
  // Waits that began meanwhile have not been looked at yet: the tick is for the unexpected only.
  const bool unseen = std::any_of(awaiting_.begin(), awaiting_.end(),
                                  [this](int id) { return state(id).first_look > looks_; });
  const bool soon = std::exchange(look_soon_, false);
  const Duration delay = look_again_ || unseen ? Duration{} : soon ? kSteady : kTick;
  tick_ = context_.timers.after(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
}

void Executor::judge(int id, const Replicas& all) {
  const AwaitCondition await = std::get<AwaitCondition>(step(id).op);
  const auto found = all.find(await.service);
  const auto replicas =
      found == all.end() ? std::vector<const ObservedContainer*>{} : found->second;
  if (!std::exchange(state(id).announced, true)) {
    for (const auto* c : replicas) say("Container " + c->name, "Waiting", ProgressKind::kWorking);
  }
  const Verdict verdict = evaluate(await.condition, await.service, replicas);
  if (verdict.state == Verdict::State::kPending) return;
  const bool without_check = std::any_of(replicas.begin(), replicas.end(),
                                         [](const auto* c) { return !c->has_healthcheck; });
  if (verdict.state == Verdict::State::kMet && await.final && without_check &&
      await.condition == AwaitCondition::Condition::kRunningOrHealthy &&
      context_.timers.now() - state(id).began < kSteady) {
    look_soon_ = true;
    return;
  }
  std::erase(awaiting_, id);
  if (verdict.state == Verdict::State::kMet) {
    const char* word = await.condition == AwaitCondition::Condition::kCompleted ? "Exited"
                       : await.condition == AwaitCondition::Condition::kStarted ? "Started"
                                                                                : "Healthy";
    for (const auto* c : replicas) say("Container " + c->name, word, ProgressKind::kDone);
    return settle(id, State::kDone);
  }
  const std::string container = "Container " + verdict.container;
  if (!await.required) {
    const std::string text =
        await.condition == AwaitCondition::Condition::kCompleted
            ? "optional dependency " + verdict.reason.substr(verdict.reason.find('"'))
            : fmt::format("optional dependency \"{}\" failed to start", await.service);
    say(container, "Skipped: " + text, ProgressKind::kWarning);
    if (progress_) progress_(Warning{text + ": " + verdict.reason});
    return settle(id, State::kDone);
  }
  say(container, "Error", ProgressKind::kError, verdict.reason);
  if (!error_) error_ = Error::conflict(failure_text(await.condition, verdict));
  settle(id, State::kFailed);
}

void Executor::say(const std::string& id, const std::string& status, ProgressKind kind,
                   const std::string& text) {
  if (progress_ && !id.empty()) progress_(ProgressEvent{id, status, kind, text, {}, 0, 0});
}

}  // namespace stack::scheduler
