#include "scheduler/executor.h"

#include <gtest/gtest.h>

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

// A project brought up on a fake engine, with what was said meanwhile.
struct Scene {
  explicit Scene(compose::Project p) : project(std::move(p)) {
    engine.world = testing::empty_world(project);
    for (const auto& [name, s] : project.services)
      engine.behaviour[name].has_healthcheck = s.healthcheck.has_value();
  }
  ProgressSink sink() {
    return [this](const ProgressLine& line) {
      if (const auto* event = std::get_if<ProgressEvent>(&line))
        said.push_back(event->id + " " + event->status);
      if (const auto* warning = std::get_if<Warning>(&line)) warnings.push_back(warning->text);
    };
  }
  RunDone finished() {
    return [this](Result<RunResult> r) {
      EXPECT_FALSE(result.has_value()) << "done was called twice";
      result = std::move(r);
    };
  }
  std::string up(UpOptions options = {}) {
    result.reset();
    said.clear();
    handle = start_up({engine, timers}, share(project), std::move(options), sink(), finished());
    EXPECT_FALSE(result.has_value()) << "done was called from inside";
    return end();
  }
  std::string end() {
    EXPECT_TRUE(run_until(timers, [&] { return result.has_value(); })) << "the run hangs";
    return !result ? "hangs" : result->ok() ? "ok" : result->error().to_string();
  }

  compose::Project project;
  FakeTimers timers;
  FakeEngine engine{timers};
  std::vector<std::string> said;
  std::vector<std::string> warnings;
  std::optional<Result<RunResult>> result;
  RunHandle handle;
};

compose::Project web_on_healthy_db() {
  auto project = project_of({"db", "web"});
  service(project, "db").healthcheck.emplace();
  depends(project, "web", "db", "service_healthy");
  return project;
}

TEST(Executor, SaysWhatComposeSays) {
  Scene scene(web_on_healthy_db());
  scene.engine.behaviour["db"].healthy_after = seconds(3);
  EXPECT_EQ(scene.up(), "ok");
  EXPECT_EQ(scene.said, (std::vector<std::string>{
                            "Network demo_default Creating", "Network demo_default Created",
                            "Container demo-db-1 Creating", "Container demo-db-1 Created",
                            "Container demo-web-1 Creating", "Container demo-web-1 Created",
                            "Container demo-db-1 Starting", "Container demo-db-1 Started",
                            "Container demo-db-1 Waiting", "Container demo-db-1 Healthy",
                            "Container demo-web-1 Starting", "Container demo-web-1 Started"}));
  ASSERT_EQ(scene.result->value().containers.size(), 2U);
  EXPECT_EQ(scene.result->value().containers[1].name, "demo-web-1");
  EXPECT_EQ(scene.result->value().containers[1].id, scene.engine.find("demo-web-1")->id);
}

TEST(Executor, SecondUpIsOneLook) {
  Scene scene(web_on_healthy_db());
  EXPECT_EQ(scene.up(), "ok");
  scene.engine.observations = 0;
  scene.engine.log.clear();
  EXPECT_EQ(scene.up(), "ok");
  EXPECT_EQ(scene.engine.observations, 1);
  EXPECT_TRUE(scene.engine.log.empty());
  EXPECT_EQ(scene.said,
            (std::vector<std::string>{"Container demo-db-1 Running", "Container demo-web-1 Running",
                                      "Container demo-db-1 Healthy"}));
}

TEST(Executor, UnhealthyDependency) {
  Scene scene(web_on_healthy_db());
  scene.engine.behaviour["db"].unhealthy = true;
  scene.engine.behaviour["db"].healthy_after = seconds(2);
  EXPECT_EQ(scene.up(), "dependency failed to start: container demo-db-1 is unhealthy");
  EXPECT_EQ(scene.engine.names(),
            (std::vector<std::string>{"demo-db-1 running", "demo-web-1 created"}));
  EXPECT_EQ(scene.said.back(), "Container demo-db-1 Error");
}

TEST(Executor, DependencyThatExitsOrHasNoHealthcheckFailsAtOnce) {
  Scene scene(web_on_healthy_db());
  scene.engine.behaviour["db"] = {
      .has_healthcheck = true, .healthy_after = seconds(60), .exits = 5, .exits_after = seconds(1)};
  EXPECT_EQ(scene.up(), "dependency failed to start: container demo-db-1 exited (5)");
  EXPECT_LT(scene.timers.now().time_since_epoch(), seconds(2));
  Scene none(web_on_healthy_db());
  none.engine.behaviour["db"].has_healthcheck = false;
  EXPECT_EQ(none.up(),
            "dependency failed to start: container demo-db-1 has no healthcheck configured");
}

TEST(Executor, Jobs) {
  auto project = project_of({"job", "web"});
  depends(project, "web", "job", "service_completed_successfully");
  Scene good(project);
  good.engine.behaviour["job"] = {.exits = 0, .exits_after = seconds(2)};
  EXPECT_EQ(good.up(), "ok");
  EXPECT_THAT(good.said, ::testing::Contains("Container demo-job-1 Exited"));
  Scene bad(project);
  bad.engine.behaviour["job"] = {.exits = 3, .exits_after = seconds(2)};
  EXPECT_EQ(bad.up(), "service \"job\" didn't complete successfully: exit 3");
  depends(project, "web", "job", "service_completed_successfully", false, false);
  Scene optional(project);
  optional.engine.behaviour["job"] = {.exits = 3, .exits_after = seconds(2)};
  EXPECT_EQ(optional.up(), "ok");
  EXPECT_THAT(optional.said,
              ::testing::Contains("Container demo-job-1 Skipped: optional dependency \"job\" "
                                  "didn't complete successfully: exit 3"));
  EXPECT_EQ(optional.warnings.size(), 1U);
}

TEST(Executor, OptionalDependencyThatCannotStart) {
  auto project = project_of({"bad", "web"});
  depends(project, "web", "bad", "service_started", false, false);
  Scene scene(project);
  scene.engine.fault = [](const Operation& op) -> std::optional<Error> {
    const auto* start = std::get_if<StartContainer>(&op);
    if (start != nullptr && start->container.service == "bad")
      return Error::invalid("no such command");
    return std::nullopt;
  };
  EXPECT_EQ(scene.up(), "no such command");
  EXPECT_THAT(scene.engine.names(), ::testing::Contains("demo-web-1 running"));
  EXPECT_EQ(scene.warnings,
            (std::vector<std::string>{"optional dependency \"bad\" failed to start"}));
}

TEST(Executor, AFailingBranchStopsAndTheOthersRunToTheirEnd) {
  auto project = project_of({"bad", "behind", "good"});
  depends(project, "behind", "bad");
  Scene scene(project);
  scene.engine.operation_time = milliseconds(10);
  scene.engine.fault = [](const Operation& op) -> std::optional<Error> {
    const auto* start = std::get_if<StartContainer>(&op);
    if (start != nullptr && start->container.service == "bad")
      return Error::conflict("port is already allocated");
    return std::nullopt;
  };
  EXPECT_EQ(scene.up(), "port is already allocated");
  EXPECT_EQ(scene.engine.names(),
            (std::vector<std::string>{"demo-bad-1 created", "demo-behind-1 created",
                                      "demo-good-1 running"}));
}

TEST(Executor, AFailureWhileCreatingPreventsEveryStart) {
  Scene scene(project_of({"bad", "good"}));
  scene.engine.fault = [](const Operation& op) -> std::optional<Error> {
    const auto* create = std::get_if<CreateContainer>(&op);
    if (create != nullptr && create->service == "bad") return Error::invalid("bad mount");
    return std::nullopt;
  };
  EXPECT_EQ(scene.up(), "bad mount");
  EXPECT_EQ(scene.engine.names(), (std::vector<std::string>{"demo-good-1 created"}));
}

TEST(Executor, IndependentBranchesOverlapAndLimitsHold) {
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) names.push_back("s" + std::to_string(i));
  Scene scene(project_of(names));
  scene.engine.operation_time = milliseconds(10);
  EXPECT_EQ(scene.up(), "ok");
  EXPECT_EQ(scene.engine.most_at_once, 32);
  // One network, two rounds of 32 and 18 creations and starts each.
  EXPECT_EQ(scene.timers.now().time_since_epoch(), milliseconds(50));
}

TEST(Executor, PreflightStopsBeforeAnythingIsChanged) {
  Scene scene(project_of({"web"}));
  scene.engine.preflight_fault = Error::conflict("port 80 is taken by nginx (pid 7)");
  EXPECT_EQ(scene.up(), "port 80 is taken by nginx (pid 7)");
  EXPECT_TRUE(scene.engine.log.empty());
  EXPECT_EQ(scene.engine.last_preflight->starting_services, (std::vector<std::string>{"web"}));
}

TEST(Executor, ImagesComeFirstAndDecideWhatIsReplaced) {
  Scene scene(project_of({"web"}));
  EXPECT_EQ(scene.up(), "ok");
  scene.engine.log.clear();
  EXPECT_EQ(scene.up({.pull = PullPolicy::kAlways}), "ok");
  ASSERT_GE(scene.engine.log.size(), 2U);
  EXPECT_EQ(scene.engine.log[0], "pull image busybox for web");
  EXPECT_THAT(scene.engine.log[1], ::testing::HasSubstr("replacing demo-web-1"));
  EXPECT_EQ(scene.engine.names(), (std::vector<std::string>{"demo-web-1 running"}));
}

TEST(Executor, DryRunChangesNothing) {
  Scene scene(project_of({"web"}));
  scene.engine.world.image_ids.clear();
  EXPECT_EQ(scene.up({.dry_run = true}), "ok");
  EXPECT_TRUE(scene.engine.log.empty());
  EXPECT_THAT(
      to_text(scene.result->value().plan),
      ::testing::StartsWith("#1 pull image busybox for web because it is not present\n#2 "));
}

TEST(Executor, CancelFinishesWhatIsUnderWayAndBeginsNothing) {
  Scene scene(project_of({"a", "b"}));
  scene.engine.operation_time = seconds(1);
  scene.handle = start_up({scene.engine, scene.timers}, share(scene.project), {}, scene.sink(),
                          scene.finished());
  scene.timers.advance(milliseconds(1'500));  // the network is there, containers are being created
  scene.handle.cancel();
  EXPECT_EQ(scene.end(), "cancelled");
  EXPECT_EQ(scene.engine.names(),
            (std::vector<std::string>{"demo-a-1 created", "demo-b-1 created"}));
  scene.engine.operation_time = {};
  EXPECT_EQ(scene.up(), "ok");
}

TEST(Executor, CancelEndsAWait) {
  Scene scene(web_on_healthy_db());
  scene.engine.behaviour["db"].healthy_after = std::chrono::hours(10);
  scene.handle = start_up({scene.engine, scene.timers}, share(scene.project), {}, scene.sink(),
                          scene.finished());
  scene.timers.advance(seconds(5));
  scene.handle.cancel();
  ASSERT_TRUE(scene.result.has_value());
  EXPECT_EQ(scene.result->error().kind, ErrorKind::kCancelled);
}

TEST(Executor, WaitAndItsTimeout) {
  Scene scene(project_of({"web"}));
  scene.engine.behaviour["web"] = {.has_healthcheck = true, .healthy_after = seconds(5)};
  EXPECT_EQ(scene.up({.wait = true}), "ok");
  EXPECT_GE(scene.timers.now().time_since_epoch(), seconds(5));
  Scene slow(project_of({"web"}));
  slow.engine.behaviour["web"] = {.has_healthcheck = true, .healthy_after = seconds(60)};
  EXPECT_EQ(slow.up({.wait = true, .wait_timeout = 3}), "application not healthy after 3s");
  Scene gone(project_of({"web"}));
  gone.engine.behaviour["web"] = {.exits = 0, .exits_after = {}};
  EXPECT_EQ(gone.up({.wait = true}), "ok");  // a job that is done
  Scene failed(project_of({"web"}));
  failed.engine.behaviour["web"] = {.exits = 3, .exits_after = {}};
  EXPECT_EQ(failed.up({.wait = true}), "container demo-web-1 exited (3)");
}

TEST(Executor, FailingHook) {
  auto project = project_of({"web"});
  service(project, "web").post_start.push_back(testing::hook_of("false"));
  Scene scene(project);
  scene.engine.hook_exit_code = 3;
  EXPECT_EQ(scene.up(), "web hook exited with status 3");
  EXPECT_EQ(scene.engine.names(), (std::vector<std::string>{"demo-web-1 running"}));
}

TEST(Executor, DownLeavesNothingAndGoesOnAfterAFailure) {
  Scene scene(web_on_healthy_db());
  EXPECT_EQ(scene.up(), "ok");
  bool once = true;
  scene.engine.fault = [&](const Operation& op) -> std::optional<Error> {
    const auto* stop = std::get_if<StopContainer>(&op);
    if (stop != nullptr && stop->container.service == "web" && std::exchange(once, false))
      return Error::invalid("stuck");
    return std::nullopt;
  };
  const auto down = [&] {
    scene.result.reset();
    start_down({scene.engine, scene.timers}, "demo", nullptr, {.volumes = true}, scene.sink(),
               scene.finished());
    return scene.end();
  };
  EXPECT_EQ(down(), "stuck");
  EXPECT_EQ(scene.engine.names(), (std::vector<std::string>{"demo-web-1 running"}));
  EXPECT_THAT(scene.said, ::testing::Contains("Network demo_default Resource is still in use"));
  EXPECT_EQ(down(), "ok");
  EXPECT_TRUE(scene.engine.world.containers.empty());
  EXPECT_TRUE(scene.engine.world.networks.empty());
}

}  // namespace
}  // namespace stack::scheduler
