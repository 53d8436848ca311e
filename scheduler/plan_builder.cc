#include "scheduler/plan_builder.h"

#include <algorithm>

#include "scheduler/inventory.h"

namespace stack::scheduler {

namespace {

void tidy(std::vector<int>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (!ids.empty() && ids.front() == 0) ids.erase(ids.begin());
}

}  // namespace

int PlanBuilder::add(Operation op, std::string cause, std::vector<int> after, StepWords words,
                     std::vector<int> settled) {
  tidy(after);
  tidy(settled);
  const int id = static_cast<int>(plan_.steps.size()) + 1;
  plan_.steps.push_back({id,
                         std::move(op),
                         std::move(cause),
                         {},
                         std::move(after),
                         std::move(settled),
                         std::move(words.id),
                         std::move(words.working),
                         std::move(words.done)});
  return id;
}

int PlanBuilder::join(std::vector<int> ids, const std::string& what, bool even_if_failed) {
  tidy(ids);
  if (ids.size() <= 1) return ids.empty() ? 0 : ids.front();
  if (even_if_failed) return add(Milestone{what}, "", {}, {}, std::move(ids));
  return add(Milestone{what}, "", std::move(ids));
}

int PlanBuilder::stop(const ObservedContainer& c, std::optional<int> timeout, std::string cause,
                      std::vector<int> after, std::vector<int> settled) {
  return add(StopContainer{ref_of(c), timeout}, std::move(cause), std::move(after),
             container_words(c.name, "Stopping", "Stopped"), std::move(settled));
}

int PlanBuilder::stop_and_remove(const ObservedContainer& c, std::optional<int> timeout,
                                 bool volumes, const std::string& cause, std::vector<int> after,
                                 std::vector<int> settled) {
  if (is_active(c)) {
    after = {stop(c, timeout, cause, std::move(after), std::move(settled))};
    settled.clear();
  }
  return add(RemoveContainer{ref_of(c), volumes}, cause, std::move(after),
             container_words(c.name, "Removing", "Removed"), std::move(settled));
}

}  // namespace stack::scheduler
