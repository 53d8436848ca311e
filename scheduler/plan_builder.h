// Puts a plan together step by step. For the planners only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "scheduler/observed.h"
#include "scheduler/plan.h"

namespace stack::scheduler {

struct StepWords {
  std::string id;
  std::string working;
  std::string done;
};
inline StepWords container_words(const std::string& name, const char* working, const char* done) {
  return {"Container " + name, working, done};
}

class PlanBuilder {
 public:
  // 0 in `after` and `settled` means nothing and is left out.
  int add(Operation op, std::string cause, std::vector<int> after, StepWords words = {},
          std::vector<int> settled = {});
  // One id that stands for all: 0 for none, the id itself for one, else a milestone. With
  // `even_if_failed` it only asks that they are over.
  int join(std::vector<int> ids, const std::string& what, bool even_if_failed = false);

  // `after` have succeeded, `settled` are over. Return the last step.
  int stop(const ObservedContainer& container, std::optional<int> timeout, std::string cause,
           std::vector<int> after, std::vector<int> settled = {});
  // Stops only if there is something to stop.
  int stop_and_remove(const ObservedContainer& container, std::optional<int> timeout, bool volumes,
                      const std::string& cause, std::vector<int> after,
                      std::vector<int> settled = {});

  Plan& plan() { return plan_; }
  Plan take() { return std::move(plan_); }

 private:
  Plan plan_;
};

}  // namespace stack::scheduler
