#include <gtest/gtest.h>

#include "tests/scheduler/world.h"

namespace stack::scheduler {
namespace {

using testing::depends;
using testing::project_of;
using testing::service;
using testing::text_of;
using testing::world_after_up;

compose::Project web_on_db() {
  auto project = project_of({"db", "web"});
  depends(project, "web", "db", "service_started", true);
  project.volumes["data"].name = "demo_data";
  service(project, "db").volumes.push_back(testing::volume_mount("data", "/data"));
  return project;
}

TEST(PlanDown, DependentsFirstThenNetworksAndVolumes) {
  const auto project = web_on_db();
  const Observed observed = world_after_up(project);
  const std::string expected =
      "#1 stop container demo-web-1\n"
      "#2 remove container demo-web-1 and its anonymous volumes after #1\n"
      "#3 stop container demo-db-1 once over #2\n"
      "#4 remove container demo-db-1 and its anonymous volumes after #3\n"
      "#5 milestone containers removed once over #2,#4\n"
      "#6 remove network demo_default once over #5\n"
      "#7 remove volume demo_data once over #5\n";
  EXPECT_EQ(text_of(plan_down(project, observed, {.volumes = true})), expected);
  // Without a file the labels say the same.
  EXPECT_EQ(text_of(plan_down(project_from_labels("demo", observed), observed, {.volumes = true})),
            expected);
}

TEST(PlanDown, NothingThereIsNothingToDo) {
  const auto project = web_on_db();
  EXPECT_EQ(text_of(plan_down(project, {}, {.volumes = true})),
            "! No resource found to remove for project \"demo\".\n");
}

TEST(PlanDown, OneServiceOnly) {
  const auto project = web_on_db();
  EXPECT_EQ(text_of(plan_down(project, world_after_up(project), {.services = {"web"}})),
            "#1 stop container demo-web-1\n"
            "#2 remove container demo-web-1 after #1\n");
}

TEST(PlanDown, OrphansAndOneOffsOnlyWhenAsked) {
  const auto project = web_on_db();
  const Observed observed = world_after_up(project);
  auto smaller = project;
  smaller.services.erase("web");
  EXPECT_THAT(text_of(plan_down(smaller, observed, {})),
              ::testing::Not(::testing::HasSubstr("demo-web-1")));
  EXPECT_THAT(text_of(plan_down(smaller, observed, {.remove_orphans = true})),
              ::testing::HasSubstr("demo-web-1"));
}

TEST(PlanDown, ExternalThingsStay) {
  auto project = web_on_db();
  const Observed observed = world_after_up(project);
  project.networks["default"].external = true;
  project.volumes["data"].external = true;
  const std::string text = text_of(plan_down(project, observed, {.volumes = true}));
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("network")));
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("remove volume")));
}

TEST(PlanDown, Images) {
  auto project = web_on_db();
  service(project, "web").build.emplace();
  service(project, "web").image = "";
  const Observed observed = world_after_up(project);
  EXPECT_THAT(text_of(plan_down(project, observed, {.rmi = "local"})),
              ::testing::HasSubstr("remove image demo-web once over"));
  EXPECT_THAT(text_of(plan_down(project, observed, {.rmi = "all"})),
              ::testing::HasSubstr("remove image busybox once over"));
}

TEST(PlanVerb, StopInReverseOrderNamedOnesOnly) {
  const auto project = web_on_db();
  const Observed observed = world_after_up(project);
  EXPECT_EQ(text_of(plan_verb(Verb::kStop, project, observed, {.timeout = 3})),
            "#1 stop container demo-web-1 within 3s\n"
            "#2 stop container demo-db-1 within 3s once over #1\n");
  EXPECT_EQ(text_of(plan_verb(Verb::kStop, project, observed, {.services = {"db"}})),
            "#1 stop container demo-db-1\n");
  EXPECT_EQ(text_of(plan_verb(Verb::kStop, project, {}, {})), "");
}

TEST(PlanVerb, StopRunsPreStopHooksFirst) {
  auto project = web_on_db();
  service(project, "web").pre_stop.push_back(testing::hook_of("true"));
  EXPECT_EQ(
      text_of(plan_verb(Verb::kStop, project, world_after_up(project), {.services = {"web"}})),
      "#1 run pre_stop hook in demo-web-1 because it is about to be stopped\n"
      "#2 stop container demo-web-1 once over #1\n");
}

TEST(PlanVerb, StartTakesDependenciesAlongAndNeedsContainers) {
  const auto project = web_on_db();
  Observed observed = world_after_up(project);
  for (auto& c : observed.containers) c.state = ContainerState::kExited;
  EXPECT_EQ(text_of(plan_verb(Verb::kStart, project, observed, {.services = {"web"}})),
            "#1 start container demo-db-1 because it is exited\n"
            "#2 start container demo-web-1 because it is exited after #1\n");
  EXPECT_EQ(text_of(plan_verb(Verb::kStart, project, {}, {})),
            "error: service \"db\" has no container to start\n");
  std::erase_if(observed.containers, [](const auto& c) { return c.service == "db"; });
  EXPECT_EQ(text_of(plan_verb(Verb::kStart, project, observed, {})),
            "#1 start container demo-web-1 because it is exited\n");
  EXPECT_EQ(text_of(plan_verb(Verb::kStart, project, observed, {.services = {"db"}})),
            "! service \"db\" has no container to start\n");
}

TEST(PlanVerb, RestartTakesAlongWhoAskedForIt) {
  auto project = web_on_db();
  depends(project, "extra", "db");
  const Observed observed = world_after_up(project);
  EXPECT_EQ(text_of(plan_verb(Verb::kRestart, project, observed, {.services = {"db"}})),
            "#1 stop container demo-db-1\n"
            "#2 start container demo-db-1 because it is running after #1\n"
            "#3 stop container demo-web-1 after #2\n"
            "#4 start container demo-web-1 because it is running after #3\n");
  EXPECT_EQ(
      text_of(plan_verb(Verb::kRestart, project, observed, {.services = {"db"}, .no_deps = true})),
      "#1 stop container demo-db-1\n"
      "#2 start container demo-db-1 because it is running after #1\n");
}

TEST(PlanVerb, KillPauseRemove) {
  const auto project = web_on_db();
  Observed observed = world_after_up(project);
  EXPECT_EQ(text_of(plan_verb(Verb::kKill, project, observed,
                              {.services = {"web"}, .signal = "SIGUSR1"})),
            "#1 kill container demo-web-1 with SIGUSR1\n");
  EXPECT_EQ(text_of(plan_verb(Verb::kKill, project, {}, {})), "! no container to kill\n");
  EXPECT_EQ(text_of(plan_verb(Verb::kPause, project, observed, {.services = {"web"}})),
            "#1 pause container demo-web-1\n");
  EXPECT_EQ(text_of(plan_verb(Verb::kRemove, project, observed, {})), "! No stopped containers\n");
  for (auto& c : observed.containers) {
    if (c.service == "web") c.state = ContainerState::kExited;
  }
  const auto removed = plan_verb(Verb::kRemove, project, observed, {.volumes = true});
  EXPECT_EQ(text_of(removed), "#1 remove container demo-web-1 and its anonymous volumes\n");
  ASSERT_EQ(removed->targets.size(), 1U);
  EXPECT_EQ(removed->targets[0].name, "demo-web-1");
}

}  // namespace
}  // namespace stack::scheduler
