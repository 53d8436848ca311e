#include "scheduler/supervisor.h"

#include <gtest/gtest.h>

#include "tests/scheduler/world.h"

namespace stack::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::depends;
using testing::FakeEngine;
using testing::FakeTimers;
using testing::project_of;
using testing::service;
using testing::share;

struct Supervised {
  explicit Supervised(const compose::Project& p) : project(share(p)) {
    engine.world = testing::empty_world(p);
  }
  RunDone note(const std::string& what) {
    return [this, what](Result<RunResult> r) {
      ended.push_back(what + (r.ok() ? " ok" : " " + r.error().to_string()));
    };
  }
  void up(UpOptions options = {}) {
    supervisor.up(project, std::move(options), {}, note("up"));
    timers.advance(seconds(1));
  }
  void verb(Verb verb, ServicesOptions options = {}) {
    supervisor.verb(verb, "demo", project, std::move(options), {}, note("verb"));
    timers.advance(seconds(1));
  }

  ProjectPtr project;
  FakeTimers timers;
  FakeEngine engine{timers};
  std::vector<std::string> ended;
  std::vector<std::string> reports;
  int stored = 0;
  Supervisor supervisor{
      {engine, timers},
      {[this](const std::string&, const Kept* kept) {
         stored = kept == nullptr ? 0 : static_cast<int>(kept->replicas.size());
       },
       [this](const std::string&, const std::string& text) { reports.push_back(text); }}};
};

TEST(Supervisor, MakesAnewWhatVanished) {
  auto project = project_of({"db", "web"});
  service(project, "web").scale = 3;
  depends(project, "web", "db");
  Supervised s(project);
  s.up();
  EXPECT_EQ(s.stored, 2);
  s.engine.remove_container("demo-web-2");
  s.timers.advance(seconds(1));
  EXPECT_EQ(s.engine.names(),
            (std::vector<std::string>{"demo-db-1 running", "demo-web-1 running",
                                      "demo-web-2 running", "demo-web-3 running"}));
  EXPECT_EQ(s.reports,
            (std::vector<std::string>{"container demo-web-2 had vanished and was made anew"}));
}

TEST(Supervisor, DependentsFollowARestart) {
  auto project = project_of({"db", "web", "other"});
  depends(project, "web", "db", "service_healthy", true);
  depends(project, "other", "db", "service_healthy");
  Supervised s(project);
  s.engine.behaviour["db"].has_healthcheck = true;
  s.up();
  s.engine.log.clear();
  // The engine restarts db by itself.
  auto* db = s.engine.find("demo-db-1");
  db->restart_count = 1;
  db->started_at = WallTime(seconds(100));
  db->health = HealthStatus::kStarting;
  s.engine.changed();
  s.timers.advance(seconds(5));
  EXPECT_TRUE(s.engine.log.empty());  // not before db is healthy again
  s.engine.set_health("demo-db-1", HealthStatus::kHealthy);
  s.timers.advance(seconds(1));
  EXPECT_EQ(s.engine.log,
            (std::vector<std::string>{"stop container demo-web-1", "start container demo-web-1"}));
  EXPECT_EQ(s.reports, (std::vector<std::string>{"web was restarted after what it depends on"}));
  s.timers.advance(std::chrono::minutes(5));
  EXPECT_EQ(s.engine.log.size(), 2U);
}

TEST(Supervisor, DoesNotFightOurCommands) {
  Supervised s(project_of({"db", "web"}));
  s.up();
  s.verb(Verb::kStop, {.services = {"web"}});
  s.engine.remove_container("demo-web-1");
  s.timers.advance(std::chrono::minutes(5));
  EXPECT_EQ(s.engine.names(), (std::vector<std::string>{"demo-db-1 running"}));
  s.supervisor.forget("demo", "db", 1);
  s.engine.remove_container("demo-db-1");
  s.timers.advance(std::chrono::minutes(5));
  EXPECT_TRUE(s.engine.world.containers.empty());
  EXPECT_EQ(s.supervisor.kept("demo"), nullptr);
}

TEST(Supervisor, KeepsNothingOfAServiceThatIsScaledToNone) {
  Supervised s(project_of({"db", "web"}));
  s.up({.scale = {{"web", 2}}});
  s.up({.scale = {{"web", 0}}});
  s.timers.advance(std::chrono::minutes(5));
  EXPECT_EQ(s.engine.names(), (std::vector<std::string>{"demo-db-1 running"}));
  EXPECT_EQ(s.stored, 1);
}

TEST(Supervisor, LeavesWhatIsOnlyToBeCreatedAlone) {
  Supervised s(project_of({"db", "web"}));
  s.up();
  s.up({.services = {"web"}, .force_recreate = true, .no_deps = true, .no_start = true});
  s.timers.advance(std::chrono::minutes(5));
  EXPECT_EQ(s.engine.names(),
            (std::vector<std::string>{"demo-db-1 running", "demo-web-1 created"}));
  EXPECT_EQ(s.stored, 1);
  s.verb(Verb::kStart);
  s.engine.remove_container("demo-web-1");
  s.timers.advance(seconds(1));
  EXPECT_EQ(s.engine.names(),
            (std::vector<std::string>{"demo-db-1 running", "demo-web-1 running"}));
}

TEST(Supervisor, LeavesExitedContainersAndDoneJobsAlone) {
  Supervised s(project_of({"job"}));
  s.up();
  s.engine.exit_container("demo-job-1", 0);
  s.timers.advance(seconds(1));
  s.engine.remove_container("demo-job-1");
  s.timers.advance(std::chrono::minutes(5));
  EXPECT_TRUE(s.engine.world.containers.empty());
}

TEST(Supervisor, StartMakesItKeptAgain) {
  Supervised s(project_of({"web"}));
  s.up();
  s.verb(Verb::kStop);
  EXPECT_EQ(s.stored, 0);
  s.verb(Verb::kStart);
  EXPECT_EQ(s.stored, 1);
  s.engine.remove_container("demo-web-1");
  s.timers.advance(seconds(1));
  EXPECT_EQ(s.engine.names(), (std::vector<std::string>{"demo-web-1 running"}));
}

TEST(Supervisor, DownForgetsAndCancelsAnUpThatWaits) {
  auto project = project_of({"db", "web"});
  depends(project, "web", "db", "service_healthy");
  Supervised s(project);
  s.engine.behaviour["db"] = {.has_healthcheck = true, .healthy_after = std::chrono::hours(1)};
  s.up();
  EXPECT_TRUE(s.ended.empty());
  s.supervisor.down("demo", nullptr, {}, {}, s.note("down"));
  s.timers.advance(seconds(1));
  EXPECT_EQ(s.ended, (std::vector<std::string>{"up cancelled", "down ok"}));
  EXPECT_TRUE(s.engine.world.containers.empty());
}

TEST(Supervisor, UpsTakeTurns) {
  Supervised s(project_of({"web"}));
  s.engine.operation_time = milliseconds(10);
  s.supervisor.up(s.project, {}, {}, s.note("first"));
  s.supervisor.up(s.project, {.force_recreate = true}, {}, s.note("second"));
  s.timers.advance(seconds(5));
  EXPECT_EQ(s.ended, (std::vector<std::string>{"first ok", "second ok"}));
  EXPECT_TRUE(s.engine.violations.empty());
  EXPECT_EQ(s.engine.names(), (std::vector<std::string>{"demo-web-1 running"}));
}

TEST(Supervisor, TriesAgainWithBackOffAndSaysWhy) {
  Supervised s(project_of({"web"}));
  s.up();
  int failures = 3;
  s.engine.fault = [&](const Operation& op) -> std::optional<Error> {
    if (std::holds_alternative<CreateContainer>(op) && failures-- > 0)
      return Error::invalid("disk is full");
    return std::nullopt;
  };
  s.engine.remove_container("demo-web-1");
  s.timers.advance(milliseconds(10));
  EXPECT_EQ(s.reports, (std::vector<std::string>{"mending failed: disk is full"}));
  s.timers.advance(seconds(10));
  EXPECT_EQ(s.engine.names(), (std::vector<std::string>{"demo-web-1 running"}));
}

TEST(Supervisor, RestoredAfterTheEngineWasAway) {
  auto project = project_of({"db", "web"});
  Supervised s(project);
  s.engine.world = testing::world_after_up(project);
  s.engine.remove_container("demo-web-1");
  s.supervisor.restore({s.project, {{"db", {1}}, {"web", {1}}}});
  s.timers.advance(seconds(1));
  EXPECT_EQ(s.engine.names(),
            (std::vector<std::string>{"demo-db-1 running", "demo-web-1 running"}));
}

}  // namespace
}  // namespace stack::scheduler
