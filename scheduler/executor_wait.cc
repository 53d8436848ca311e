// The waiting of the executor: conditions on services, replicas of a rolling update, pauses.
// Level-triggered: each change leads to one look at the project, and all waits are judged by it.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "scheduler/conditions.h"
#include "scheduler/executor.h"
#include "scheduler/inventory.h"

namespace stack::scheduler {

namespace {

constexpr Duration kTick = std::chrono::seconds(1);
// A container without a health check has to run for this long before it counts: many mistakes end
// it at once.
constexpr Duration kSteady = std::chrono::milliseconds(200);

}  // namespace

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

void Executor::begin_await(int id, const AwaitCondition& await) {
  if (!await.required && state(id).predecessor_failed) {
    const std::string text =
        fmt::format("optional dependency \"{}\" failed to start", await.service);
    if (progress_) progress_(Warning{text});
    return settle(id, State::kDone);
  }
  begin_looking(id);
}

void Executor::begin_await(int id, const AwaitReplica&) {
  resolve(step(id).op);
  begin_looking(id);
}

void Executor::begin_looking(int id) {
  // A look that is under way may have seen the time before the start.
  state(id).first_look = looks_ + 1;
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
    } else if (std::holds_alternative<AwaitReplica>(step(id).op)) {
      judge(id, *observed);
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

void Executor::judge(int id, const Observed& observed) {
  const auto& await = std::get<AwaitReplica>(step(id).op);
  const auto found =
      std::find_if(observed.containers.begin(), observed.containers.end(),
                   [&](const ObservedContainer& c) { return c.id == await.container.id; });
  const ObservedContainer* c = found == observed.containers.end() ? nullptr : &*found;
  StepState& mine = state(id);
  if (!std::exchange(mine.announced, true)) {
    mine.restarts = c == nullptr ? 0 : c->restart_count;
    if (await.monitor <= Duration{})
      say("Container " + await.container.name, "Waiting", ProgressKind::kWorking);
  }
  const Verdict verdict = evaluate_replica(await.container, c, mine.restarts);
  if (verdict.state == Verdict::State::kPending) return;
  if (verdict.state == Verdict::State::kMet) {
    const Duration needed = await.monitor > Duration{} ? await.monitor
                            : c->has_healthcheck       ? Duration{}
                                                       : kSteady;
    const Duration so_far = context_.timers.now() - mine.began;
    if (so_far < needed) {
      if (needed - so_far < kTick) look_soon_ = true;
      return;
    }
    std::erase(awaiting_, id);
    if (await.monitor <= Duration{})
      say("Container " + await.container.name, "Healthy", ProgressKind::kDone);
    return settle(id, State::kDone);
  }
  std::erase(awaiting_, id);
  const std::string text =
      fmt::format("update of service \"{}\" failed: {}", await.service, verdict.reason);
  const bool tolerated = ++update_failures_[await.service] <= await.allowed;
  say("Container " + await.container.name, "Error",
      tolerated ? ProgressKind::kWarning : ProgressKind::kError, verdict.reason);
  if (tolerated) {
    if (progress_) progress_(Warning{text});
  } else {
    failed_updates_.insert(await.service);
    if (!error_) error_ = Error::conflict(text);
  }
  settle(id, State::kFailed);
}

// What made a predecessor fail has been told; a failure that was no replica's (a start that was
// refused) closes the gate as well.
void Executor::pass_gate(int id, const UpdateGate& gate) {
  const auto found = update_failures_.find(gate.service);
  const int failures = found == update_failures_.end() ? 0 : found->second;
  const bool other = state(id).predecessor_failed && failures == 0;
  settle(id, other || failures > gate.allowed ? State::kFailed : State::kDone);
}

void Executor::begin_pause(int id, const Pause& pause) {
  pauses_[id] = context_.timers.after(pause.time, [weak = weak_from_this(), id] {
    const auto self = weak.lock();
    if (!self || self->finished_) return;
    const auto timer = std::move(self->pauses_[id]);  // it is what calls us
    self->pauses_.erase(id);
    self->settle(id, State::kDone);
    self->pump();
  });
}

}  // namespace stack::scheduler
