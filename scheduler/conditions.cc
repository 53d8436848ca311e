#include "scheduler/conditions.h"

#include <fmt/core.h>

namespace stack::scheduler {

namespace {

using Condition = AwaitCondition::Condition;
using State = Verdict::State;

Verdict evaluate_health(const std::vector<const ObservedContainer*>& replicas,
                        bool running_is_enough) {
  bool pending = false;
  for (const ObservedContainer* c : replicas) {
    if (running_is_enough && c->state == ContainerState::kExited && c->exit_code == 0)
      continue;  // a job that is done, which Docker Compose takes for a failure
    if (c->state == ContainerState::kExited || c->state == ContainerState::kDead) {
      return {State::kFailed, fmt::format("container {} exited ({})", c->name, c->exit_code),
              c->name};
    }
    if (!c->has_healthcheck) {
      if (!running_is_enough) {
        return {State::kFailed, fmt::format("container {} has no healthcheck configured", c->name),
                c->name};
      }
      if (c->state != ContainerState::kRunning) pending = true;
      continue;
    }
    if (c->health == HealthStatus::kUnhealthy) {
      return {State::kFailed, fmt::format("container {} is unhealthy", c->name), c->name};
    }
    if (c->health != HealthStatus::kHealthy) pending = true;
  }
  return {pending ? State::kPending : State::kMet, {}, {}};
}

Verdict evaluate_completion(const std::string& service,
                            const std::vector<const ObservedContainer*>& replicas) {
  const ObservedContainer* failed = nullptr;
  for (const ObservedContainer* c : replicas) {
    if (c->state != ContainerState::kExited && c->state != ContainerState::kDead) continue;
    if (c->exit_code == 0) return {State::kMet, {}, {}};
    failed = c;
  }
  if (failed == nullptr) return {};
  return {State::kFailed,
          fmt::format("service \"{}\" didn't complete successfully: exit {}", service,
                      failed->exit_code),
          failed->name};
}

}  // namespace

Verdict evaluate(Condition condition, const std::string& service,
                 const std::vector<const ObservedContainer*>& replicas) {
  // Made before they are waited for: somebody has removed them since.
  if (replicas.empty() && condition != Condition::kStarted)
    return {State::kFailed, fmt::format("service \"{}\" has no container any more", service), {}};
  switch (condition) {
    case Condition::kStarted:
      return {State::kMet, {}, {}};
    case Condition::kHealthy:
      return evaluate_health(replicas, false);
    case Condition::kRunningOrHealthy:
      return evaluate_health(replicas, true);
    case Condition::kCompleted:
      return evaluate_completion(service, replicas);
  }
  return {};
}

Verdict evaluate_replica(const ContainerRef& ref, const ObservedContainer* c, int restarts) {
  const auto failed = [&](std::string why) {
    return Verdict{State::kFailed, fmt::format("container {} {}", ref.name, why), ref.name};
  };
  if (c == nullptr) return failed("is gone");
  switch (c->state) {
    case ContainerState::kExited:
    case ContainerState::kDead:
    case ContainerState::kRestarting:
      return failed(fmt::format("exited ({})", c->exit_code));
    case ContainerState::kRemoving:
      return failed("is being removed");
    case ContainerState::kCreated:
      return {};
    case ContainerState::kRunning:
    case ContainerState::kPaused:
      break;
  }
  if (c->restart_count > restarts) return failed("had to be restarted");
  if (!c->has_healthcheck) return {State::kMet, {}, {}};
  if (c->health == HealthStatus::kUnhealthy) return failed("is unhealthy");
  return {c->health == HealthStatus::kHealthy ? State::kMet : State::kPending, {}, {}};
}

std::string failure_text(Condition condition, const Verdict& verdict) {
  return condition == Condition::kHealthy ? "dependency failed to start: " + verdict.reason
                                          : verdict.reason;
}

}  // namespace stack::scheduler
