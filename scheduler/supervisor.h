// Keeps declared projects as they were declared, and gives the commands on one project their turns.
//
// What is kept is which replicas exist. What a single container does between its start and its end
// - restart policy, back-off, unhealthy - is the engine's, with restart.h and health.h. A replica
// is kept from the `up`, `start` or `restart` that made it run until a `stop`, `kill`, `rm` or
// `down` of ours names it:
//
//   kept?  there?  last seen     what happens
//   yes    yes     any           nothing
//   yes    no      running       made anew, started after its conditions: somebody else removed it
//   yes    no      not running   nothing: a job that is done, or a loop that was given up
//   no     any     any           nothing
//
// Dependents with `restart: true` are restarted after a dependency that its restart policy, or its
// health, restarted.
//
// Turns: `up` and `run` one after the other; `kill` waits for no stop or down (it is what shortens
// them); `down`, `stop`, `rm` and `kill` cancel the former, wait for the steps under way, then go.
// Everything else goes at once. Mending waits while any command on the project is under way.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "scheduler/run.h"

namespace stack::scheduler {

struct Kept {
  ProjectPtr project;
  std::map<std::string, std::set<int>> replicas;  // service -> numbers
};

class Supervisor {
 public:
  struct Callbacks {
    // To be stored durably, so that restore() can be called when the engine comes back. Null:
    // nothing is kept any more.
    std::function<void(const std::string& project, const Kept*)> changed;
    // For the engine's log and the event stream: what mending did, or why it could not.
    std::function<void(const std::string& project, const std::string& message)> report;
  };

  Supervisor(RunContext context, Callbacks callbacks);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // After a start of the engine, once it has adopted the containers that run.
  void restore(Kept kept);
  // Removed through our API by name, not by a project's command: not to be made anew.
  void forget(const std::string& project, const std::string& service, int number);
  const Kept* kept(const std::string& project) const;  // null: nothing

  // As the functions of run.h, with turns and keeping.
  RunHandle up(ProjectPtr project, UpOptions options, ProgressSink progress, RunDone done);
  RunHandle run(ProjectPtr project, RunOptions options, ProgressSink progress, RunDone done);
  RunHandle down(std::string name, ProjectPtr project, DownOptions options, ProgressSink progress,
                 RunDone done);
  RunHandle verb(Verb verb, std::string name, ProjectPtr project, ServicesOptions options,
                 ProgressSink progress, RunDone done);

 private:
  enum class Turn { kFree, kBuildUp, kTearDown, kKill, kMend };
  struct Command;
  struct Entry;

  Entry& entry(const std::string& name);
  RunHandle launch(const std::string& name, Turn turn,
                   const std::function<RunHandle(RunContext, RunDone)>& start,
                   std::function<void(Entry&, const Result<RunResult>&)> keep, RunDone done);
  void give_turns(const std::string& name);
  void schedule(const std::string& name, Duration delay);
  void look(const std::string& name);
  void looked(const std::string& name, const Observed& observed);
  void mend(const std::string& name, std::map<std::string, std::set<int>> missing);
  // supervisor_follow.cc: services to restart now because what they depend on was restarted.
  static std::vector<std::string> followers(Entry& entry, const Observed& observed);
  void follow(const std::string& name, std::vector<std::string> services);
  void changed(Entry& entry);
  void drop_if_idle(const std::string& name);

  RunContext context_;
  Callbacks callbacks_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::shared_ptr<bool> alive_;  // callbacks outlive us
};

}  // namespace stack::scheduler
