// Runs a plan on an engine: every step as soon as the steps it comes after allow, in parallel.
// Makes no decisions.
//
// - A failing step takes along what comes after it; everything else runs to its end. The first
//   failure is the result.
// - Waiting is level-triggered: on every change, and once a second, the project is looked at again
//   and all conditions under way are evaluated against what is seen. Only looks that began after a
//   wait did count for it.
// - Cancelling lets the operations under way finish and begins no other.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>

#include "base/error.h"
#include "scheduler/engine.h"
#include "scheduler/plan.h"
#include "scheduler/progress.h"
#include "scheduler/timers.h"

namespace stack::scheduler {

// What a run works with; both must outlive it.
struct RunContext {
  Engine& engine;
  Timers& timers;
  unsigned max_parallel =
      32;  // creations, starts, removals at the same time; waiting is not limited
  // When set, a run waits for its turn: it hands over how to begin, which is called later, once.
  std::function<void(std::function<void()> begin)> gate = {};
};

struct Outcome {
  Status status = ok_status();
  std::map<int, OperationResult> results;  // by step
  std::set<std::string> failed_updates;    // services whose rolling update did not succeed
  std::map<int, std::pair<Duration, Duration>>
      times;  // begin and end of the steps that ran, from the start
};

class Executor : public std::enable_shared_from_this<Executor> {
 public:
  struct Options {
    std::optional<Duration>
        wait_timeout;  // for the waits of --wait, from when nothing else is left to do
  };
  using Done = std::function<void(Outcome)>;

  static std::shared_ptr<Executor> make(RunContext context, ProjectPtr project, Plan plan,
                                        Options options, ProgressSink progress, Done done);

  void start();   // once; keeps itself alive until done
  void cancel();  // done gets kCancelled

 private:
  enum class State { kWaiting, kReady, kRunning, kDone, kFailed, kSkipped };
  struct StepState {
    State state = State::kWaiting;
    int pending = 0;                  // steps it comes after that are not over
    bool blocked = false;             // one of `after` did not succeed
    bool predecessor_failed = false;  // one of `settled` did not
    std::vector<int> followers;       // steps that come after it
    std::vector<int> observers;       // steps that come when it is over
    unsigned first_look = 0;          // await: looks that count
    TimePoint began{};
    TimePoint ended{};
    int restarts = 0;        // await replica: at the first look
    bool announced = false;  // await: "Waiting" was said
  };

  Executor(RunContext context, ProjectPtr project, Plan plan, Options options,
           ProgressSink progress, Done done);

  Step& step(int id) { return plan_.steps[static_cast<std::size_t>(id) - 1]; }
  StepState& state(int id) { return states_[static_cast<std::size_t>(id) - 1]; }

  void pump();
  void launch(int id);
  void perform(int id);
  void performed(int id, Result<OperationResult> result);
  void settle(int id, State end);
  void fail(int id, Error error);
  void finish_if_over();

  void resolve(Operation& op);
  void begin_await(int id, const AwaitCondition& await);
  void begin_await(int id, const AwaitReplica& await);
  void begin_looking(int id);
  void pass_gate(int id, const UpdateGate& gate);
  void begin_pause(int id, const Pause& pause);
  void look();
  void looked(Result<Observed> observed);
  using Replicas = std::map<std::string_view, std::vector<const ObservedContainer*>>;
  void judge(int id, const Replicas& all);
  void judge(int id, const Observed& observed);
  void arm_wait_timeout();
  void say(const std::string& id, const std::string& status, ProgressKind kind,
           const std::string& text = {});

  RunContext context_;
  ProjectPtr project_;
  Plan plan_;
  Options options_;
  ProgressSink progress_;
  Done done_;

  std::vector<StepState> states_;
  std::vector<int> ready_;
  std::size_t next_ready_ = 0;
  std::vector<int> awaiting_;
  std::map<int, OperationResult> results_;
  std::optional<Error> error_;
  std::map<std::string, int> update_failures_;  // by service
  std::set<std::string> failed_updates_;
  std::map<int, Subscription> pauses_;
  TimePoint began_{};
  std::stop_source stop_;
  bool cancelled_ = false;
  bool pumping_ = false;
  bool finished_ = false;
  std::size_t left_ = 0;        // steps that are not over
  std::size_t final_left_ = 0;  // of these, waits of --wait
  unsigned running_ = 0;        // operations under way
  unsigned busy_ = 0;           // of these, limited ones
  unsigned looks_ = 0;
  bool looking_ = false;
  bool look_again_ = false;
  bool look_soon_ = false;  // something runs, but not for long enough yet
  Subscription watch_;
  Subscription tick_;
  Subscription deadline_;
};

}  // namespace stack::scheduler
