// A deterministic simulation: random projects, faults, outside events and crashes in virtual time.
// Whatever happens, the same things must hold:
//
// - never two containers that serve as one replica number (a newcomer of a rolling update does not
// serve yet)
// - nothing starts before what it needs; what was stopped by command is not restarted
// - once it is calm, one `up` brings about exactly what is declared, and the next has nothing to do
// - no update is lost: what runs was made from the latest definition
//
// A failing seed is printed; STACK_SIM_SEED=N runs that one alone, STACK_SIM_STEPS=N that many
// steps.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "compose/config_hash.h"
#include "scheduler/inventory.h"
#include "scheduler/run.h"
#include "tests/scheduler/world.h"

namespace stack::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::depends;
using testing::FakeEngine;
using testing::FakeTimers;
using testing::project_of;
using testing::run_until;
using testing::service;
using testing::share;

// The engine as one run sees it. When the process dies, the run hears nothing any more and can do
// nothing.
class MortalEngine final : public Engine {
 public:
  explicit MortalEngine(FakeEngine& engine) : engine_(engine) {}
  void die() { *dead_ = true; }

  void observe(const ObserveRequest& request, Done<Observed> done) override {
    if (!*dead_) engine_.observe(request, guard(std::move(done)));
  }
  void perform(const ProjectPtr& project, const Operation& op, const ProgressSink& progress,
               std::stop_token cancel, Done<OperationResult> done) override {
    if (!*dead_) engine_.perform(project, op, progress, std::move(cancel), guard(std::move(done)));
  }
  Subscription watch(const std::string& project, std::function<void()> look_again) override {
    return engine_.watch(project, std::move(look_again));
  }

 private:
  template <typename T>
  Done<T> guard(Done<T> done) {
    return [dead = dead_, done = std::move(done)](Result<T> result) {
      if (!*dead) done(std::move(result));
    };
  }
  FakeEngine& engine_;
  std::shared_ptr<bool> dead_ = std::make_shared<bool>(false);
};

class Simulation {
 public:
  explicit Simulation(unsigned seed) : random_(seed) {
    engine_.operation_time = milliseconds(1);
    engine_.random = &random_;
    engine_.fault = [this](const Operation& op) { return fault(op); };
  }

  void run() {
    project_ = random_project();
    for (const auto& [name, s] : project_.services) {
      engine_.world.image_ids["busybox"] = "sha256:busybox";
      auto& how = engine_.behaviour[name];
      how.has_healthcheck = true;
      how.healthy_after = milliseconds(roll(3'000));
      const unsigned policy = roll(3);
      how.policy.kind = policy == 0   ? RestartPolicy::Kind::kNo
                        : policy == 1 ? RestartPolicy::Kind::kAlways
                                      : RestartPolicy::Kind::kOnFailure;
      if (chance(4)) how.policy.max_retries = static_cast<int>(1 + roll(3));
      if (chance(4)) how.policy.delay = milliseconds(roll(500));
    }
    for (const auto& job : jobs_)
      engine_.behaviour[job] = {.exits = 0, .exits_after = milliseconds(roll(2'000))};
    for (int round = 0; round < 4 && !::testing::Test::HasFailure(); ++round) {
      disturbed_command();
      if (chance(3)) change_project();
      if (chance(4)) outside_event();
    }
    calm_ = true;
    for (auto& c : engine_.world.containers) {  // what has no policy gets well by itself
      if (c.health == HealthStatus::kUnhealthy) engine_.set_health(c.name, HealthStatus::kHealthy);
    }
    timers_.advance(seconds(120));  // restarts under way end: they are no part of the last `up`
    converge();
    take_down();
  }
  std::uint64_t steps() const { return engine_.steps; }

 private:
  unsigned roll(unsigned below) { return static_cast<unsigned>(random_() % below); }
  bool chance(unsigned one_in) { return roll(one_in) == 0; }

  compose::Project random_project() {
    std::vector<std::string> names;
    const unsigned count = 2 + roll(7);
    for (unsigned i = 0; i < count; ++i) names.push_back("s" + std::to_string(i));
    auto project = project_of(names);
    project.volumes["data"].name = "demo_data";
    for (unsigned i = 0; i < count; ++i) {
      auto& s = service(project, names[i]);
      if (chance(3)) {
        auto& update = s.deploy.emplace().update_config.emplace();
        update.order = chance(2) ? "start-first" : "stop-first";
        update.parallelism = roll(3);
        update.monitor = milliseconds(1 + roll(2'000));
        if (chance(3)) update.delay = milliseconds(roll(1'000));
        update.failure_action = chance(3) ? "continue" : chance(2) ? "rollback" : "pause";
        if (chance(3)) update.max_failure_ratio = 0.5F;
      }
      if (chance(4)) s.scale = static_cast<int>(roll(4));
      if (chance(4)) s.volumes.push_back(testing::volume_mount("data", "/data"));
      if (chance(4)) s.volumes.push_back(testing::volume_mount("", "/anonymous"));
      if (i + 1 < count && chance(6)) {
        jobs_.insert(names[i]);
        s.deploy.reset();
        if (chance(2)) s.x_stack.rerun = "changed";
      }
      for (unsigned j = 0; j < i; ++j) {
        if (!chance(3)) continue;
        const bool job = jobs_.contains(names[j]);
        const char* condition = job         ? "service_completed_successfully"
                                : chance(2) ? "service_healthy"
                                            : "service_started";
        depends(project, names[i], names[j], condition, chance(3), !chance(5));
      }
      if (i > 0 && chance(8) && !jobs_.contains(names[i - 1]) &&
          project.services[names[i - 1]].scale.value_or(1) > 0) {
        s.network_mode = "service:" + names[i - 1];
        s.networks.clear();
      }
    }
    return project;
  }

  void change_project() {
    auto it = project_.services.begin();
    std::advance(it, roll(static_cast<unsigned>(project_.services.size())));
    if (chance(2)) it->second.environment["V"] = std::to_string(roll(1'000));
    if (chance(3)) it->second.scale = static_cast<int>(1 + roll(3));
    if (chance(5)) project_.networks["default"].labels["v"] = std::to_string(roll(1'000));
  }

  void outside_event() {
    if (engine_.world.containers.empty()) return;
    disturbed_ = true;
    auto& c =
        engine_.world.containers[roll(static_cast<unsigned>(engine_.world.containers.size()))];
    const std::string name = c.name;
    switch (roll(4)) {
      case 0:
        engine_.remove_container(name);
        break;
      case 1:
        if (c.state == ContainerState::kRunning && c.health != HealthStatus::kNone)
          engine_.set_health(name, HealthStatus::kUnhealthy);
        break;
      default:
        if (is_active(c)) engine_.exit_container(name, chance(2) ? 137 : 0);
    }
  }

  std::optional<Error> fault(const Operation& op) {
    check_order(op);
    if (calm_ || !chance(25)) return std::nullopt;
    return Error::invalid("fault in " + to_string(op));
  }

  // Nothing starts before what it needs: seen from the engine's side, at the moment of each start.
  void check_order(const Operation& op) {
    const auto* start = std::get_if<StartContainer>(&op);
    // What died from outside between the condition and the start is not the scheduler's doing.
    if (start == nullptr || !in_up_ || disturbed_) return;
    for (const auto& [name, dependency] :
         project_.services.at(start->container.service).depends_on) {
      if (!dependency.required) continue;
      const auto& s = project_.services.at(name);
      if (s.scale.value_or(1) == 0) continue;
      bool all_running = true;
      bool all_healthy = true;
      bool completed = false;
      for (const auto& c : engine_.world.containers) {
        if (c.service != name || c.standby) continue;
        if (!is_active(c)) all_running = false;
        if (c.health != HealthStatus::kHealthy) all_healthy = false;
        if (c.state == ContainerState::kExited && c.exit_code == 0) completed = true;
      }
      if (dependency.condition == "service_healthy" && !all_healthy)
        violation(op, name + " is not healthy");
      if (dependency.condition == "service_completed_successfully" && !completed)
        violation(op, name + " is not done");
      if (dependency.condition == "service_started" && !all_running && calm_ &&
          !jobs_.contains(name)) {
        violation(op, name + " does not run");
      }
    }
  }
  void violation(const Operation& op, const std::string& why) {
    engine_.violations.push_back(to_string(op) + ": " + why);
  }

  void disturbed_command() {
    std::optional<Result<RunResult>> result;
    engines_.push_back(std::make_unique<MortalEngine>(engine_));
    const RunContext context{*engines_.back(), timers_, 1 + roll(8)};
    const RunDone done = [&result](Result<RunResult> r) { result = std::move(r); };
    RunHandle handle;
    in_up_ = false;
    disturbed_ = false;
    switch (roll(6)) {
      case 0:
        handle = start_verb(context, Verb::kStop, "demo", share(project_), {}, {}, done);
        break;
      case 1:
        handle = start_verb(context, Verb::kRestart, "demo", nullptr, {}, {}, done);
        break;
      case 2:
        handle = start_down(context, "demo", chance(2) ? share(project_) : nullptr,
                            {.volumes = chance(2)}, {}, done);
        break;
      default:
        in_up_ = true;
        UpOptions options{.force_recreate = chance(4), .remove_orphans = chance(2)};
        if (good_) options.fallback = Fallback{good_, {}, "the last good one"};
        handle = start_up(context, share(project_), std::move(options), {}, done);
    }
    // Let it run for a while; then cancel it, kill the engine under it, or let it end.
    const unsigned fate = roll(3);
    if (fate < 2) {
      timers_.advance(milliseconds(roll(1'500)));
      if (fate == 0) {
        handle.cancel();
        EXPECT_TRUE(run_until(timers_, [&] { return result.has_value(); }))
            << "a cancelled run hangs";
      } else {
        engines_.back()->die();
        if (chance(2))
          engine_.forget_callbacks();  // what was under way did not happen; else it did, unheard
        handle = {};
        timers_.advance(seconds(1));
      }
    } else {
      if (chance(3)) {
        timers_.advance(milliseconds(roll(3'000)));
        if (!result) outside_event();
      }
      EXPECT_TRUE(run_until(timers_, [&] { return result.has_value(); })) << "a run hangs";
      if (in_up_ && result && result->ok()) good_ = share(project_);
    }
    in_up_ = false;
  }

  void converge() {
    std::optional<Result<RunResult>> result;
    in_up_ = true;
    disturbed_ = false;
    start_up({engine_, timers_}, share(project_), {.remove_orphans = true}, {},
             [&](Result<RunResult> r) { result = std::move(r); });
    ASSERT_TRUE(run_until(timers_, [&] { return result.has_value(); })) << "the last up hangs";
    ASSERT_TRUE(result->ok()) << result->error().to_string();
    timers_.advance(seconds(10));
    in_up_ = false;
    std::map<std::string, int> running;
    for (const auto& c : engine_.world.containers) {
      ++running[c.service];
      EXPECT_EQ(c.config_hash, compose::config_hash(project_.services.at(c.service)))
          << "a lost update of " << c.name;
      EXPECT_FALSE(c.standby) << c.name;
      EXPECT_EQ(c.name, "demo-" + c.service + "-" + std::to_string(c.number));
      EXPECT_EQ(c.state,
                jobs_.contains(c.service) ? ContainerState::kExited : ContainerState::kRunning)
          << c.name;
    }
    for (const auto& [name, s] : project_.services)
      EXPECT_EQ(running[name], s.scale.value_or(1)) << name;
    const auto again = plan_up(project_, engine_.world, {}, true);
    ASSERT_TRUE(again.ok());
    for (const Step& step : again->steps) {
      const auto* start = std::get_if<StartContainer>(&step.op);
      const auto* await = std::get_if<AwaitCondition>(&step.op);
      const bool job = (start != nullptr && jobs_.contains(start->container.service)) ||
                       (await != nullptr && jobs_.contains(await->service));
      EXPECT_TRUE(job || std::holds_alternative<Milestone>(step.op))
          << "not converged: " << to_string(step);
    }
  }

  void take_down() {
    std::optional<Result<RunResult>> result;
    start_down({engine_, timers_}, "demo", share(project_), {.volumes = true}, {},
               [&](Result<RunResult> r) { result = std::move(r); });
    ASSERT_TRUE(run_until(timers_, [&] { return result.has_value(); })) << "down hangs";
    EXPECT_TRUE(result->ok()) << result->error().to_string();
    EXPECT_TRUE(engine_.world.containers.empty());
    EXPECT_TRUE(engine_.world.networks.empty());
    EXPECT_TRUE(engine_.world.volumes.empty());
    EXPECT_EQ(engine_.violations, std::vector<std::string>{});
  }

  std::mt19937 random_;
  FakeTimers timers_;
  FakeEngine engine_{timers_};
  std::vector<std::unique_ptr<MortalEngine>> engines_;
  compose::Project project_;
  std::set<std::string> jobs_;
  ProjectPtr good_;  // what the last `up` that ended well declared
  bool calm_ = false;
  bool in_up_ = false;
  bool disturbed_ = false;  // from outside, since the command began
};

unsigned from_environment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

TEST(Simulation, HoldsWhateverHappens) {
  const unsigned one = from_environment("STACK_SIM_SEED", 0);
  const std::uint64_t wanted = one != 0 ? 1 : from_environment("STACK_SIM_STEPS", 1'000'000);
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t steps = 0;
  unsigned seed = one != 0 ? one : 1;
  for (; steps < wanted; ++seed) {
    const ::testing::ScopedTrace trace(__FILE__, __LINE__,
                                       fmt::format("to replay: STACK_SIM_SEED={}", seed));
    Simulation simulation(seed);
    simulation.run();
    steps += simulation.steps();
    if (HasFailure()) return;
  }
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin);
  std::printf("%llu steps, %u projects, %.1f s\n", static_cast<unsigned long long>(steps), seed - 1,
              took.count());
}

}  // namespace
}  // namespace stack::scheduler
