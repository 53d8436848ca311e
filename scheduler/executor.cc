#include "scheduler/executor.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "scheduler/conditions.h"
#include "scheduler/inventory.h"

namespace stack::scheduler {

namespace {

// Stopping and hooks wait for somebody else most of the time: holding them back would only make
// them add up.
bool is_limited(const Operation& op) {
  return !std::holds_alternative<StopContainer>(op) && !std::holds_alternative<RunHook>(op) &&
         !std::holds_alternative<EnsureImage>(op) && !std::holds_alternative<DrainContainer>(op) &&
         !is_waiting(op);
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
  began_ = context_.timers.now();
  arm_wait_timeout();
  pump();
}

void Executor::cancel() {
  if (cancelled_ || finished_) return;
  cancelled_ = true;
  error_ = Error::make(ErrorKind::kCancelled, "cancelled");
  stop_.request_stop();
  for (const int id : std::exchange(awaiting_, {})) settle(id, State::kSkipped);
  for (const auto& [id, timer] : std::exchange(pauses_, {})) settle(id, State::kSkipped);
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
  state(id).began = context_.timers.now();
  if (std::holds_alternative<Milestone>(op)) {
    settle(id, State::kDone);
  } else if (const auto* await = std::get_if<AwaitCondition>(&op)) {
    begin_await(id, *await);
  } else if (const auto* replica = std::get_if<AwaitReplica>(&op)) {
    begin_await(id, *replica);
  } else if (const auto* gate = std::get_if<UpdateGate>(&op)) {
    pass_gate(id, *gate);
  } else if (const auto* pause = std::get_if<Pause>(&op)) {
    begin_pause(id, *pause);
  } else {
    perform(id);
  }
}

void Executor::resolve(Operation& op) {
  ContainerRef* ref = container_of(op);
  if (ref != nullptr && ref->id.empty() && ref->created_by != 0)
    ref->id = results_[ref->created_by].id;
}

void Executor::perform(int id) {
  Step& s = step(id);
  resolve(s.op);
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
  if (const ContainerRef* container = container_of(s.op);
      container != nullptr && plan_.rolls_back.contains(container->service))
    failed_updates_.insert(container->service);
  if (!error_) error_ = std::move(error);
  settle(id, State::kFailed);
}

void Executor::settle(int id, State end) {
  StepState& mine = state(id);
  mine.state = end;
  mine.ended = context_.timers.now();
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
  outcome.failed_updates = std::move(failed_updates_);
  for (const Step& s : plan_.steps) {
    const StepState& mine = state(s.id);
    if (mine.state == State::kDone || mine.state == State::kFailed)
      outcome.times[s.id] = {mine.began - began_, mine.ended - began_};
  }
  const Done done = std::exchange(done_, nullptr);
  done(std::move(outcome));
}

void Executor::say(const std::string& id, const std::string& status, ProgressKind kind,
                   const std::string& text) {
  if (progress_ && !id.empty()) progress_(ProgressEvent{id, status, kind, text, {}, 0, 0});
}

}  // namespace stack::scheduler
