// The commands on a whole project, one function each: observe, plan, execute. Used by the API.
// Asynchronous on the event loop; `done` is called exactly once, never from inside the function
// that starts the run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "scheduler/engine.h"
#include "scheduler/executor.h"
#include "scheduler/options.h"
#include "scheduler/plan.h"
#include "scheduler/progress.h"
#include "scheduler/timers.h"
#include "scheduler/timing.h"

namespace stack::scheduler {

struct ContainerSummary {
  std::string id;
  std::string name;
  std::string service;
  int number = 0;
};

struct RunResult {
  std::vector<ContainerSummary>
      containers;  // of the selected services, by name, as they are afterwards
  std::map<std::string, std::string> images;  // build: service -> image id
  ContainerSummary created;                   // run: the one-off
  std::vector<Question> questions;            // up with `ask`: nothing was done, these come first
  std::vector<TimedStep> times;               // of the steps that ran
  std::string fingerprint;                    // dry run
  Plan plan;                                  // what was done, or with dry_run what would be
};
using RunDone = std::function<void(Result<RunResult>)>;

// A run under way. Cancelling lets steps under way finish and begins none; `done` then gets
// kCancelled. Dropping the handle lets the run go on.
class RunHandle {
 public:
  struct State;
  RunHandle() = default;
  explicit RunHandle(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void cancel();
  bool finished() const;

 private:
  std::shared_ptr<State> state_;
};

RunHandle start_up(RunContext context, ProjectPtr project, UpOptions options, ProgressSink progress,
                   RunDone done);
RunHandle start_build(RunContext context, ProjectPtr project, ImageOptions options,
                      ProgressSink progress, RunDone done);
RunHandle start_pull(RunContext context, ProjectPtr project, ImageOptions options,
                     ProgressSink progress, RunDone done);
RunHandle start_run(RunContext context, ProjectPtr project, RunOptions options,
                    ProgressSink progress, RunDone done);

// For these the project is optional (null): it is then rebuilt from the labels of what is observed
// under that name.
RunHandle start_down(RunContext context, std::string name, ProjectPtr project, DownOptions options,
                     ProgressSink progress, RunDone done);
RunHandle start_verb(RunContext context, Verb verb, std::string name, ProjectPtr project,
                     ServicesOptions options, ProgressSink progress, RunDone done);

}  // namespace stack::scheduler
