// How long the steps of a run took, and which of them decided how long the whole took. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "scheduler/plan.h"

namespace stack::scheduler {

struct TimedStep {
  int id = 0;
  std::string what;  // "start container demo-web-1"
  std::string cause;
  Duration began{};  // from the start of the run
  Duration ended{};
  std::vector<int> after;  // steps it waited for
};

std::vector<TimedStep> timed_steps(const Plan& plan,
                                   const std::map<int, std::pair<Duration, Duration>>& times);

// The chain of steps, first to last, in which each began when the one before it ended, back from
// the one that ended last. Steps without a duration of note are in it too: they say why.
std::vector<TimedStep> critical_path(const std::vector<TimedStep>& steps);

}  // namespace stack::scheduler
