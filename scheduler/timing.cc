#include "scheduler/timing.h"

#include <algorithm>
#include <map>

namespace stack::scheduler {

std::vector<TimedStep> timed_steps(const Plan& plan,
                                   const std::map<int, std::pair<Duration, Duration>>& times) {
  std::vector<TimedStep> steps;
  for (const Step& step : plan.steps) {
    const auto time = times.find(step.id);
    if (time == times.end()) continue;
    TimedStep timed{
        step.id,   to_string(step.op), step.cause, time->second.first, time->second.second,
        step.after};
    timed.after.insert(timed.after.end(), step.settled.begin(), step.settled.end());
    steps.push_back(std::move(timed));
  }
  return steps;
}

std::vector<TimedStep> critical_path(const std::vector<TimedStep>& steps) {
  std::map<int, const TimedStep*> by_id;
  const TimedStep* last = nullptr;
  for (const TimedStep& step : steps) {
    by_id[step.id] = &step;
    if (last == nullptr || step.ended > last->ended) last = &step;
  }
  std::vector<TimedStep> path;
  while (last != nullptr) {
    if (!last->what.starts_with("milestone ")) path.push_back(*last);
    const TimedStep* before = nullptr;
    for (const int id : last->after) {
      const auto found = by_id.find(id);
      if (found == by_id.end() || found->second->id >= last->id) continue;
      if (before == nullptr || found->second->ended > before->ended) before = found->second;
    }
    last = before;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace stack::scheduler
