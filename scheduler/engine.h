// What the scheduler needs of an engine. The engine knows no plans: it observes, performs one
// operation, and says when something changed. Everything is asynchronous on the one event-loop
// thread: the functions return at once, and a callback may run before its function returns. The
// engine does not order operations; the executor gives each after those it depends on are done.
// Every operation is safe to repeat after a crash at any point of it.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "compose/project.h"
#include "scheduler/observed.h"
#include "scheduler/plan.h"
#include "scheduler/progress.h"
#include "scheduler/timers.h"

namespace stack::scheduler {

using ProjectPtr = std::shared_ptr<const compose::Project>;  // never null; workers may keep it

struct OperationResult {
  std::string id;     // of what was created: container, network, image
  int exit_code = 0;  // of a hook
};

// What a run is about to do to the ports of the machine.
struct Preflight {
  std::vector<std::string>
      starting_services;  // services of which a container will be created or started
  std::vector<std::string> stopping_ids;  // containers that will be stopped or removed before that
};

class Engine {
 public:
  template <typename T>
  using Done = std::function<void(Result<T>)>;

  virtual ~Engine() = default;

  virtual void observe(const ObserveRequest& request, Done<Observed> done) = 0;

  // Never called with AwaitCondition or Milestone. Errors carry Docker's texts without the prefix
  // "Error response from daemon". RemoveNetwork of a network in use is kConflict. A non-zero exit
  // of a hook is a result, not an error. Progress beyond the step's own words (layers, build
  // output, hook output) goes to `progress`. When `cancel` is asked for, operations that can be
  // long (EnsureImage, RunHook) end early with kCancelled; short ones finish.
  virtual void perform(const ProjectPtr& project, const Operation& op, const ProgressSink& progress,
                       std::stop_token cancel, Done<OperationResult> done) = 0;

  // Calls back, until the subscription goes, when anything of the project may have changed: a
  // container's state, health or existence. Spurious and merged calls are fine; missed ones cost
  // time only.
  [[nodiscard]] virtual Subscription watch(const std::string& project,
                                           std::function<void()> look_again) = 0;

  // Last check before anything is changed: fixed host ports that somebody else holds, with a
  // message that names the holder.
  virtual void preflight(const ProjectPtr& project, const Preflight& what, Done<Unit> done) {
    (void)project;
    (void)what;
    done(ok_status());
  }
};

}  // namespace stack::scheduler
