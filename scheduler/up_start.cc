#include <fmt/core.h>

#include "scheduler/conditions.h"
#include "scheduler/up_planner.h"

namespace stack::scheduler {

namespace {
using Condition = AwaitCondition::Condition;
}

int UpPlanner::await(const std::string& service, Condition condition, bool required,
                     std::string cause, bool final) {
  const auto known = awaits_.find({service, condition, required});
  if (known != awaits_.end()) return known->second;
  const ServiceState& state = services_.at(service);
  int step = 0;
  bool met = false;
  if (state.started == 0) {
    Containers replicas;
    for (const Replica& replica : state.replicas) {
      if (replica.observed != nullptr) replicas.push_back(replica.observed);
    }
    met = evaluate(condition, service, replicas).state == Verdict::State::kMet;
    if (met && condition != Condition::kStarted) {
      const char* word = condition == Condition::kCompleted ? "Exited" : "Healthy";
      for (const ObservedContainer* c : replicas) {
        builder_.plan().kept.push_back(
            {"Container " + c->name, word, ProgressKind::kDone, {}, {}, 0, 0});
      }
    }
  }
  if (!met) {
    // An optional dependency that could not be started is waited for no longer than a failed one.
    const int before = state.started != 0 ? state.started : barrier_;
    step = required ? builder_.add(AwaitCondition{service, condition, required, final},
                                   std::move(cause), {before})
                    : builder_.add(AwaitCondition{service, condition, required, final},
                                   std::move(cause), {}, {}, {before});
  }
  awaits_[{service, condition, required}] = step;
  return step;
}

std::vector<int> UpPlanner::conditions(const std::string& name) {
  std::vector<int> after;
  if (options_.no_deps) return after;
  for (const Edge& edge : graph_.dependencies.at(name)) {
    const auto state = services_.find(edge.service);
    if (state == services_.end() || state->second.replicas.empty()) continue;
    if (edge.condition == Condition::kStarted && edge.required) {
      after.push_back(state->second.started);
    } else {
      after.push_back(await(edge.service, edge.condition, edge.required, name + " depends on it"));
    }
  }
  return after;
}

void UpPlanner::plan_start(const std::string& name) {
  ServiceState& state = services_.at(name);
  if (state.replicas.empty()) return;
  std::vector<int> after = conditions(name);
  after.push_back(barrier_);
  after.insert(after.end(), state.stopped.begin(), state.stopped.end());
  const compose::Service& service = project_.services.at(name);
  for (const Replica& replica : state.replicas) {
    // A newcomer without a predecessor has nobody to wait for.
    if (replica.observed != nullptr && replica.observed->standby &&
        replica.predecessor == nullptr && !replica.start) {
      state.started = builder_.add(TakeOver{replica.ref, {}}, "its predecessor is gone", after);
    }
    if (!replica.start || replica.predecessor != nullptr) continue;
    if (replica.unpause) {
      state.started = builder_.add(UnpauseContainer{replica.ref}, "it is paused", after,
                                   container_words(replica.ref.name, "", "Unpaused"));
    } else {
      const bool stopped =
          replica.observed != nullptr && stopped_ids_.contains(replica.observed->id);
      const std::string cause = replica.observed == nullptr ? "it is new"
                                : stopped
                                    ? "it was stopped for this"
                                    : fmt::format("it is {}", to_string(replica.observed->state));
      state.started = start_with_hooks(service, replica.ref, false, cause, after);
    }
    after = {state.started};  // one after the other: a fixed host port goes to the first
  }
  if (const int updated = plan_update(service, state, after); updated != 0) {
    state.started = updated;
    restart_dependents_after(name, updated);
  }
}

// Containers of services that are not part of this command, stopped because a network they are on
// was replaced.
void UpPlanner::plan_other_starts() {
  if (stopped_ids_.empty()) return;
  for (const ObservedContainer& c : observed_.containers) {
    if (!stopped_ids_.contains(c.id)) continue;
    if (!c.one_off && services_.contains(c.service)) continue;
    builder_.add(StartContainer{ref_of(c)}, "it was stopped for this", {barrier_},
                 container_words(c.name, "Starting", "Started"));
  }
}

void UpPlanner::plan_wait() {
  std::set<std::string> jobs;
  for (const std::string& name : selected_) {
    for (const Edge& edge : graph_.dependencies.at(name)) {
      if (edge.condition == Condition::kCompleted) jobs.insert(edge.service);
    }
  }
  for (const std::string& name : graph_.order) {
    const auto state = services_.find(name);
    if (state == services_.end() || state->second.replicas.empty()) continue;
    await(name, jobs.contains(name) ? Condition::kCompleted : Condition::kRunningOrHealthy, true,
          "--wait", true);
  }
}

}  // namespace stack::scheduler
