// What the supervisor knows of one project and of the commands on it. Internal to supervisor*.cc.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/supervisor.h"

namespace stack::scheduler {

struct Supervisor::Command {
  Turn turn = Turn::kFree;
  RunHandle handle;
  std::function<void()> begin;
  bool running = false;
  bool over = false;
};

struct Supervisor::Entry {
  std::string name;
  Kept kept;
  std::map<std::pair<std::string, int>, bool>
      active;                                      // as last seen: replica -> something ran in it
  std::vector<std::shared_ptr<Command>> commands;  // in the order they came
  std::map<std::string, WallTime> runs;  // container id -> when its last run that was seen began
  std::set<std::string> following;       // services that restart once what they depend on is back
  Subscription watch;
  Subscription next_look;
  Subscription turns;
  bool looking = false;
  bool look_again = false;
  Duration retry{};
};

}  // namespace stack::scheduler
