#include "scheduler/why.h"

#include <gtest/gtest.h>

#include "tests/scheduler/world.h"

namespace stack::scheduler {
namespace {

using std::chrono::seconds;
using testing::depends;
using testing::project_of;
using testing::service;
using testing::world_after_up;

std::string text(const WhyInput& input) {
  std::string out;
  for (const Because& because : explain(input))
    out += std::string(static_cast<std::size_t>(because.depth) * 2, ' ') + because.text + "\n";
  return out;
}

TEST(Why, NotStartedLeadsToTheUnhealthyDependency) {
  auto project = project_of({"db", "web"});
  service(project, "db").healthcheck.emplace();
  depends(project, "web", "db", "service_healthy");
  auto world = world_after_up(project);
  world.now = WallTime(seconds(1000));
  auto& db = world.containers[0];
  db.started_at = world.now - seconds(90);
  db.health = HealthStatus::kUnhealthy;
  db.failing_streak = 3;
  db.probe_output = "connection refused\n";
  world.containers[1].state = ContainerState::kCreated;
  EXPECT_EQ(text({project, world, "web", {}, {}, {}}),
            "demo-web-1 is created and was not started\n"
            "  it needs db (service_healthy): container demo-db-1 is unhealthy\n"
            "    demo-db-1 runs, started 1m30s ago, unhealthy\n"
            "      its health check has failed 3 times in a row\n"
            "        it said: connection refused\n");
}

TEST(Why, EndedSaysWhoAndWhy) {
  auto project = project_of({"web"});
  auto world = world_after_up(project);
  auto& web = world.containers[0];
  web.state = ContainerState::kExited;
  web.exit_code = 137;
  web.oom_killed = true;
  web.restart_reason = "exited (137), no restart policy";
  const std::string oom = text({project, world, "web", {}, {}, {}});
  EXPECT_NE(oom.find("the kernel killed it"), std::string::npos) << oom;
  EXPECT_NE(oom.find("no restart policy"), std::string::npos);
  web.oom_killed = false;
  web.stop_requested = true;
  const std::string stopped = text({project, world, "web", {}, {}, "`stop` of anna: stack stop"});
  EXPECT_NE(stopped.find("stopped by `stop` of anna"), std::string::npos) << stopped;
}

TEST(Why, UnreachableBecauseOfLoopback) {
  auto project = project_of({"web"});
  compose::PortConfig port;
  port.target = 80;
  port.published = "8080";
  port.protocol = "tcp";
  service(project, "web").ports.push_back(port);
  auto world = world_after_up(project);
  world.containers[0].published = {"0.0.0.0:8080->80/tcp"};
  const std::string id = world.containers[0].id;
  const auto with = [&](const std::vector<std::string>& listening) {
    return text({project, world, "web", {}, {{id, listening}}, {}});
  };
  EXPECT_NE(with({"127.0.0.1:80"}).find("listens on port 80 of 127.0.0.1 only"), std::string::npos);
  EXPECT_NE(
      with({"0.0.0.0:3000"}).find("nothing in it listens on TCP port 80; there is 0.0.0.0:3000"),
      std::string::npos);
  EXPECT_EQ(with({":::80"}).find("listens"), std::string::npos);
}

TEST(Why, ShowsWhatDecidedHowLongTheLastUpTook) {
  auto project = project_of({"web"});
  auto world = world_after_up(project);
  world.now = WallTime(seconds(100));
  LastRun run{"up", "anna: stack up", WallTime(seconds(40)), "", {}};
  run.steps = {{1, "create container demo-web-1", "it does not exist", {}, seconds(1), {}},
               {2, "start container demo-web-1", "it is new", seconds(1), seconds(3), {1}}};
  const std::string out = text({project, world, "web", run, {}, {}});
  EXPECT_NE(
      out.find(
          "the last run was `up` by anna: stack up, 1m0s ago\n  it took 3s; what decided that:\n"),
      std::string::npos)
      << out;
  EXPECT_NE(out.find("2s  start container demo-web-1 because it is new"), std::string::npos);
}

TEST(Why, NothingThere) {
  auto project = project_of({"web"});
  EXPECT_EQ(text({project, {}, "web", {}, {}, {}}),
            "web has no container\n  no `up` has created one since it was declared or removed\n");
}

}  // namespace
}  // namespace stack::scheduler
