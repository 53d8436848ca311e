// `stack why SERVICE`: from what is declared, observed and remembered to the causal chain behind
// what somebody sees: not started, waiting, restarting, unhealthy, unreachable, slow. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compose/project.h"
#include "scheduler/observed.h"
#include "scheduler/timing.h"

namespace stack::scheduler {

struct Because {
  int depth = 0;  // 0: the finding; deeper: its cause
  std::string text;
};

// The last run of up, start or restart on the project.
struct LastRun {
  std::string verb;
  std::string who;
  WallTime time{};
  std::string error;  // empty: it ended well
  std::vector<TimedStep> steps;
};

struct WhyInput {
  const compose::Project& project;
  const Observed& observed;
  std::string service;
  std::optional<LastRun> last_run;
  // TCP ports on which something listens in each running container of the service, with the
  // address: by container id. Not there: unknown.
  std::map<std::string, std::vector<std::string>>
      listening;           // "0.0.0.0:80", "127.0.0.1:8080", ":::80"
  std::string stopped_by;  // who stopped it last, from the history
};

std::vector<Because> explain(const WhyInput& input);

}  // namespace stack::scheduler
