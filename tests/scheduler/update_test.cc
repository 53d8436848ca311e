// Rolling updates: the plan, its execution on a fake engine, failures, and what a cut-short one
// leads to.
#include <gtest/gtest.h>

#include <algorithm>

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
using testing::up_text;
using testing::world_after_up;

compose::Project updated(const std::string& order, int replicas = 1) {
  auto project = project_of({"web"});
  auto& web = service(project, "web");
  web.scale = replicas;
  web.stop_grace_period = seconds(7);
  web.deploy.emplace().update_config.emplace().order = order;
  return project;
}

compose::UpdateConfig& config(compose::Project& project) {
  return *project.services.at("web").deploy->update_config;
}

struct Scene {
  explicit Scene(compose::Project p) : project(std::move(p)) {
    engine.world = testing::empty_world(project);
    engine.behaviour["web"].has_healthcheck = true;
    engine.operation_time = milliseconds(10);
  }
  std::string up(UpOptions options = {}) {
    result.reset();
    engine.log.clear();
    warnings.clear();
    start_up(
        {engine, timers}, share(project), std::move(options),
        [this](const ProgressLine& line) {
          if (const auto* warning = std::get_if<Warning>(&line)) warnings.push_back(warning->text);
        },
        [this](Result<RunResult> r) { result = std::move(r); });
    EXPECT_TRUE(run_until(timers, [&] { return result.has_value(); })) << "the run hangs";
    return !result ? "hangs" : result->ok() ? "ok" : result->error().to_string();
  }
  void change(const std::string& value) { service(project, "web").environment["V"] = value; }
  int count(const std::string& text) const {
    return static_cast<int>(
        std::count_if(engine.log.begin(), engine.log.end(),
                      [&](const auto& line) { return line.find(text) != std::string::npos; }));
  }

  compose::Project project;
  FakeTimers timers;
  FakeEngine engine{timers};
  std::vector<std::string> warnings;
  std::optional<Result<RunResult>> result;
};

TEST(Update, StartFirstRunsTheNewOneBesideTheOld) {
  auto project = updated("start-first");
  const Observed world = world_after_up(project);
  service(project, "web").environment["V"] = "2";
  const std::string id = world.containers[0].id.substr(0, 12);
  const std::string fresh = id + "_demo-web-1";
  EXPECT_EQ(
      up_text(project, world),
      "#1 create container " + fresh +
          " replacing demo-web-1 keeping its anonymous volumes because its configuration changed\n"
          "#2 start container " +
          fresh +
          " on standby because it is new after #1\n"
          "#3 await container " +
          fresh +
          " ready because it must be ready to take over after #2\n"
          "#4 hand demo-web-1 over to container " +
          fresh +
          " because it is ready after #3\n"
          "#5 watch container " +
          fresh +
          " for 5s because it is watched after the update after #4\n"
          "#6 drain container demo-web-1 for at most 7s because its successor has taken over after "
          "#5\n"
          "#7 stop container demo-web-1 because it is replaced after #6\n"
          "#8 remove container demo-web-1 because it is replaced after #7\n"
          "#9 rename container " +
          fresh + " to demo-web-1 because the old container is gone after #8\n");
}

TEST(Update, StopFirstReplacesOneAfterTheOther) {
  Scene scene(updated("stop-first", 3));
  EXPECT_EQ(scene.up(), "ok");
  config(scene.project).monitor = seconds(2);
  config(scene.project).delay = seconds(3);
  scene.change("2");
  const TimePoint begin = scene.timers.now();
  int most_down = 0;
  scene.engine.fault = [&](const Operation&) -> std::optional<Error> {
    int up = 0;
    for (const auto& c : scene.engine.world.containers)
      up += c.state == ContainerState::kRunning ? 1 : 0;
    most_down = std::max(most_down, 3 - up);
    return std::nullopt;
  };
  EXPECT_EQ(scene.up(), "ok");
  EXPECT_LE(most_down, 1);
  EXPECT_GE(scene.timers.now() - begin, seconds(2 * 3 + 3 * 2));  // three watched, two pauses
  EXPECT_EQ(
      scene.engine.names(),
      (std::vector<std::string>{"demo-web-1 running", "demo-web-2 running", "demo-web-3 running"}));
}

TEST(Update, FixedAddressesCannotBeInTwoContainers) {
  auto project = updated("start-first");
  service(project, "web").networks["default"].emplace().ipv4_address = "172.30.0.5";
  const Observed world = world_after_up(project);
  service(project, "web").environment["V"] = "2";
  const std::string text = up_text(project, world);
  EXPECT_TRUE(text.starts_with("! service \"web\" is updated stop-first: it has a fixed address"));
  EXPECT_EQ(text.find("standby"), std::string::npos);
}

TEST(Update, NeverTwoThatServe) {
  Scene scene(updated("start-first", 4));
  config(scene.project).parallelism = 2;
  EXPECT_EQ(scene.up(), "ok");
  scene.change("2");
  scene.engine.behaviour["web"].healthy_after = seconds(4);
  EXPECT_EQ(scene.up(), "ok");
  EXPECT_EQ(scene.engine.violations, std::vector<std::string>{});
  EXPECT_EQ(scene.engine.world.containers.size(), 4U);
  for (const auto& c : scene.engine.world.containers) {
    EXPECT_FALSE(c.standby);
    EXPECT_EQ(c.health, HealthStatus::kHealthy);
  }
}

TEST(Update, AFailurePausesTheRest) {
  Scene scene(updated("start-first", 3));
  EXPECT_EQ(scene.up(), "ok");
  scene.change("2");
  scene.engine.behaviour["web"].unhealthy = true;
  EXPECT_TRUE(scene.up().starts_with("update of service \"web\" failed: container "));
  EXPECT_EQ(scene.count("on standby"), 1);  // the others were left alone
  EXPECT_EQ(scene.count("hand "), 0);
  int serving = 0;
  for (const auto& c : scene.engine.world.containers) serving += !c.standby && is_active(c) ? 1 : 0;
  EXPECT_EQ(serving, 3);
}

TEST(Update, ContinueAndRatioTolerateFailures) {
  Scene scene(updated("stop-first", 4));
  EXPECT_EQ(scene.up(), "ok");
  config(scene.project).failure_action = "continue";
  config(scene.project).monitor = milliseconds(100);
  scene.change("2");
  scene.engine.behaviour["web"].unhealthy = true;
  EXPECT_EQ(scene.up(), "ok");
  EXPECT_EQ(scene.warnings.size(), 4U);

  Scene half(updated("stop-first", 4));
  EXPECT_EQ(half.up(), "ok");
  config(half.project).max_failure_ratio = 0.5F;
  half.change("2");
  half.engine.behaviour["web"].unhealthy = true;
  EXPECT_NE(half.up(), "ok");
  EXPECT_EQ(half.warnings.size(), 2U);
  EXPECT_EQ(half.count("create container"), 4);
  EXPECT_EQ(half.count("start container"), 3);  // the third was one too many
}

TEST(Update, RollsBackToTheEarlierDeclaration) {
  Scene scene(updated("start-first", 2));
  config(scene.project).failure_action = "rollback";
  EXPECT_EQ(scene.up(), "ok");
  const compose::Project good = scene.project;
  scene.change("2");
  scene.engine.behaviour["web"].unhealthy = true;
  Fallback fallback{share(good), {{"web", "sha256:busybox"}}, "revision 1"};
  UpOptions options;
  options.fallback = fallback;
  const std::string error = scene.up(options);
  EXPECT_TRUE(error.ends_with("is unhealthy; went back to revision 1")) << error;
  EXPECT_EQ(scene.engine.names(),
            (std::vector<std::string>{"demo-web-1 running", "demo-web-2 running"}));
  for (const auto& c : scene.engine.world.containers) {
    EXPECT_EQ(c.config_hash, compose::config_hash(good.services.at("web")));
    EXPECT_FALSE(c.standby);
  }
}

TEST(Update, ACrashAfterTheSwitchGivesTheOldOneItsPlaceBack) {
  Scene scene(updated("start-first"));
  config(scene.project).failure_action = "rollback";
  EXPECT_EQ(scene.up(), "ok");
  const compose::Project good = scene.project;
  const std::string old = scene.engine.world.containers[0].id;
  scene.change("2");
  scene.engine.behaviour["web"] = {.has_healthcheck = true, .exits = 1, .exits_after = seconds(3)};
  UpOptions options;
  options.fallback = {share(good), {{"web", "sha256:busybox"}}, "revision 1"};
  EXPECT_TRUE(scene.up(options).ends_with("exited (1); went back to revision 1"));
  ASSERT_EQ(scene.engine.world.containers.size(), 1U);
  EXPECT_EQ(scene.engine.world.containers[0].id, old);  // it had been on standby all the time
  EXPECT_FALSE(scene.engine.world.containers[0].standby);
}

TEST(Update, GoesOnWhereItWasCutShort) {
  Scene scene(updated("start-first"));
  EXPECT_EQ(scene.up(), "ok");
  scene.change("2");
  for (int steps = 1; steps < 9; ++steps) {
    SCOPED_TRACE(steps);
    Scene again(scene.project);
    again.engine.world = scene.engine.world;
    int left = steps;
    again.engine.fault = [&](const Operation&) -> std::optional<Error> {
      if (left-- > 0) return std::nullopt;
      return Error::invalid("the engine is gone");
    };
    again.up();
    again.engine.fault = nullptr;
    EXPECT_EQ(again.up(), "ok");
    EXPECT_EQ(again.engine.names(), (std::vector<std::string>{"demo-web-1 running"}));
    EXPECT_FALSE(again.engine.world.containers[0].standby);
    EXPECT_EQ(again.engine.violations, std::vector<std::string>{});
  }
}

TEST(Update, DependentsWithRestartFollowOnceTheNewOneServes) {
  auto project = updated("start-first");
  service(project, "app");
  depends(project, "app", "web", "service_started", true);
  const Observed world = world_after_up(project);
  service(project, "web").environment["V"] = "2";
  const std::string text = up_text(project, world);
  const auto at = [&](const std::string& part) { return text.find(part); };
  ASSERT_NE(at("stop container demo-app-1"), std::string::npos) << text;
  EXPECT_LT(at("hand demo-web-1"), at("stop container demo-app-1"));
  EXPECT_LT(at("stop container demo-app-1"), at("start container demo-app-1"));
}

TEST(Plan, FingerprintFollowsTheWorld) {
  auto project = project_of({"web"});
  Observed world = world_after_up(project);
  service(project, "web").environment["V"] = "2";
  const auto plan = plan_up(project, world, {}, true);
  ASSERT_TRUE(plan.ok());
  const std::string before = fingerprint(*plan, world);
  EXPECT_EQ(fingerprint(*plan, world), before);
  world.containers[0].state = ContainerState::kExited;
  EXPECT_NE(fingerprint(*plan, world), before);
}

TEST(Plan, ExpectedPlanIsDoneAndAnotherRefused) {
  Scene scene(project_of({"web"}));
  EXPECT_EQ(scene.up({.dry_run = true}), "ok");
  const std::string seen = (*scene.result)->fingerprint;
  EXPECT_EQ(seen.size(), 64U);
  EXPECT_TRUE(scene.engine.log.empty());  // a dry run does nothing
  EXPECT_EQ(scene.up({.expected = "other"}), "the world has moved since the plan was made");
  EXPECT_TRUE(scene.engine.log.empty());
  EXPECT_EQ(scene.up({.expected = seen}), "ok");
  EXPECT_EQ(scene.up({.expected = seen}), "the world has moved since the plan was made");
}

TEST(Timing, CriticalPathIsTheChainThatDecided) {
  const std::vector<TimedStep> steps = {
      {1, "create network n", "", seconds(0), seconds(1), {}},
      {2, "create container a", "", seconds(1), seconds(2), {1}},
      {3, "create container b", "", seconds(1), seconds(5), {1}},
      {4, "milestone everything exists", "", seconds(5), seconds(5), {2, 3}},
      {5, "start container a", "", seconds(5), seconds(6), {4}}};
  const auto path = critical_path(steps);
  ASSERT_EQ(path.size(), 3U);
  EXPECT_EQ(path[0].id, 1);
  EXPECT_EQ(path[1].id, 3);
  EXPECT_EQ(path[2].id, 5);
}

}  // namespace
}  // namespace stack::scheduler
