// Is a condition on a service met? Pure.
#pragma once

#include <string>
#include <vector>

#include "scheduler/observed.h"
#include "scheduler/plan.h"

namespace stack::scheduler {

struct Verdict {
  enum class State { kPending, kMet, kFailed };
  State state = State::kPending;
  std::string reason;     // failed: "container demo-db-1 is unhealthy"
  std::string container;  // failed: whose fault it is
};

// `replicas` are the service's containers without one-offs. Started means: the start call has
// returned, so it is met.
Verdict evaluate(AwaitCondition::Condition condition, const std::string& service,
                 const std::vector<const ObservedContainer*>& replicas);

// One replica of a rolling update. A crash fails it, also when its restart policy revives it:
// `restarts` is how many restarts it had at first. `container` null: it is gone.
Verdict evaluate_replica(const ContainerRef& ref, const ObservedContainer* container, int restarts);

// How the failure of a required condition reads: "dependency failed to start: container demo-db-1
// is unhealthy".
std::string failure_text(AwaitCondition::Condition condition, const Verdict& verdict);

}  // namespace stack::scheduler
