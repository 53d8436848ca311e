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
#include "scheduler/plan.h"
#include "scheduler/progress.h"
#include "scheduler/timers.h"

namespace stack::scheduler {

enum class PullPolicy { kFromFile, kAlways, kMissing, kNever };

struct UpOptions {
  std::vector<std::string> services;  // empty: all
  bool build = false;
  bool no_build = false;
  PullPolicy pull = PullPolicy::kFromFile;
  bool no_cache = false;
  std::map<std::string, std::string> build_args;
  bool force_recreate = false;
  bool no_recreate = false;
  bool always_recreate_deps = false;
  bool renew_anon_volumes = false;
  bool no_deps = false;
  bool no_start = false;
  bool remove_orphans = false;
  bool ignore_orphans = false;
  std::map<std::string, int> scale;
  std::optional<int> timeout;  // seconds
  bool wait = false;
  std::optional<int> wait_timeout;  // seconds; 0 and not set: no limit
  bool recreate_volumes = false;  // the answer to "exists but doesn't match configuration. Recreate
                                  // (data will be lost)?"
  bool dry_run = false;
  // Supervision: create and start what is missing, leave whatever exists as it is.
  bool only_missing = false;
};

struct DownOptions {
  std::vector<std::string> services;
  bool remove_orphans = false;
  std::optional<int> timeout;
  bool volumes = false;
  std::string rmi;  // "", "local" or "all"
  bool dry_run = false;
};

// start, stop, restart, pause, unpause, kill, rm
struct ServicesOptions {
  std::vector<std::string> services;
  std::optional<int> timeout;      // stop, restart
  bool no_deps = false;            // restart
  std::string signal = "SIGKILL";  // kill
  bool remove_orphans = false;     // kill
  bool stop = false;               // rm: stop first
  bool volumes = false;            // rm: anonymous volumes too
  bool wait = false;               // start
  std::optional<int> wait_timeout;
  bool dry_run = false;
};

struct ImageOptions {  // build, pull
  std::vector<std::string> services;
  bool no_cache = false;
  bool pull = false;  // build: refresh base images
  std::map<std::string, std::string> build_args;
  bool with_dependencies = false;
  bool ignore_buildable = false;              // pull
  bool ignore_pull_failures = false;          // pull
  PullPolicy policy = PullPolicy::kFromFile;  // pull
  bool dry_run = false;
};

// The service's definition in the project that is passed already has everything that `run` changes
// in it: command, environment, ports, restart "no", terminal.
struct RunOptions {
  std::string service;
  std::string name;                           // empty: "<project>-<service>-run-<12 hex>"
  std::string slug;                           // 64 hex
  std::map<std::string, std::string> labels;  // the user's additional ones
  bool use_aliases = false;
  bool no_deps = false;
  bool build = false;
  bool remove_orphans = false;
  bool ignore_orphans = false;
  PullPolicy pull = PullPolicy::kFromFile;
  bool dry_run = false;
};

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

// What a run works with; both must outlive it.
struct RunContext {
  Engine& engine;
  Timers& timers;
  unsigned max_parallel =
      32;  // creations, starts, removals at the same time; waiting is not limited
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
enum class Verb { kStart, kStop, kRestart, kKill, kPause, kUnpause, kRemove };
RunHandle start_verb(RunContext context, Verb verb, std::string name, ProjectPtr project,
                     ServicesOptions options, ProgressSink progress, RunDone done);

}  // namespace stack::scheduler
