// An engine in memory: containers are records, operations take virtual time, faults and outside
// events are put in by the test. It checks what a real engine would refuse, and the invariants that
// must never break.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "scheduler/engine.h"
#include "scheduler/restart.h"
#include "tests/fakes/fake_timers.h"

namespace stack::testing {

class FakeEngine final : public scheduler::Engine {
 public:
  explicit FakeEngine(FakeTimers& timers) : timers_(timers) {}

  // How the containers of a service behave once started.
  struct Behaviour {
    bool has_healthcheck = false;
    Duration healthy_after{};       // with has_healthcheck
    bool unhealthy = false;         // becomes unhealthy instead
    std::optional<int> exits = {};  // ends by itself with this code ...
    Duration exits_after{};         // ... after this time
    scheduler::RestartPolicy policy =
        {};  // what ends by itself is restarted, and so is what turns unhealthy
  };
  std::map<std::string, Behaviour> behaviour;  // by service
  Duration operation_time{};                   // 0: operations finish before perform() returns
  std::mt19937* random = nullptr;              // jitter of operation times
  // Returns an error to fail an operation with.
  std::function<std::optional<Error>(const scheduler::Operation&)> fault;
  std::optional<Error> preflight_fault;
  int hook_exit_code = 0;

  scheduler::Observed world;
  std::vector<std::string> log;         // operations in the order they began, as text
  std::vector<std::string> violations;  // invariants that were broken
  int observations = 0;
  int most_at_once = 0;
  std::uint64_t steps = 0;  // operations and events so far
  std::optional<scheduler::Preflight> last_preflight;

  void observe(const scheduler::ObserveRequest& request, Done<scheduler::Observed> done) override;
  void perform(const scheduler::ProjectPtr& project, const scheduler::Operation& op,
               const scheduler::ProgressSink& progress, std::stop_token cancel,
               Done<scheduler::OperationResult> done) override;
  scheduler::Subscription watch(const std::string& project,
                                std::function<void()> look_again) override;
  void preflight(const scheduler::ProjectPtr& project, const scheduler::Preflight& what,
                 Done<Unit> done) override;

  // From outside.
  scheduler::ObservedContainer* find(const std::string& name);
  void exit_container(const std::string& name, int code);
  void remove_container(const std::string& name);
  void set_health(const std::string& name, scheduler::HealthStatus health);
  void changed();  // tells the watchers, from a timer

  // The engine process died and came back: nothing that was under way will report. What it had done
  // stays done.
  void forget_callbacks() { ++incarnation_; }

  std::vector<std::string> names()
      const;  // of containers, sorted, with their state: "demo-web-1 running"

 private:
  Result<scheduler::OperationResult> apply(const scheduler::ProjectPtr& project,
                                           const scheduler::Operation& op);
  Result<scheduler::OperationResult> create(const scheduler::ProjectPtr& project,
                                            const scheduler::CreateContainer& op);
  Result<scheduler::OperationResult> start(const std::string& id);
  void begin_to_run(scheduler::ObservedContainer& container);
  void restart_after(scheduler::ObservedContainer& container,
                     const scheduler::RestartDecision& decision);
  scheduler::ObservedContainer* by_id(const std::string& id);
  void check_invariants();

  FakeTimers& timers_;
  int next_id_ = 0;
  int starts_ = 0;
  std::map<std::string, scheduler::RestartState> restarts_;  // by id
  std::map<std::string, TimePoint> began_;
  int running_operations_ = 0;
  int incarnation_ = 0;
  std::vector<scheduler::Subscription> pending_;
  std::shared_ptr<std::map<int, std::function<void()>>> watchers_ =
      std::make_shared<std::map<int, std::function<void()>>>();
  int next_watcher_ = 0;
};

}  // namespace stack::testing
