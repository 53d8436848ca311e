#include <gtest/gtest.h>

#include <chrono>

#include "compose/config_hash.h"
#include "scheduler/labels.h"
#include "tests/scheduler/world.h"

namespace stack::scheduler {
namespace {

using testing::depends;
using testing::empty_world;
using testing::project_of;
using testing::service;
using testing::text_of;
using testing::up_text;
using testing::world_after_up;

ObservedContainer& container(Observed& observed, const std::string& name) {
  for (auto& c : observed.containers) {
    if (c.name == name) return c;
  }
  ADD_FAILURE() << "no container " << name;
  return observed.containers.front();
}

TEST(PlanUp, CreatesEverythingThenStartsInOrder) {
  auto project = project_of({"db", "web"});
  service(project, "db").healthcheck.emplace();
  depends(project, "web", "db", "service_healthy");
  EXPECT_EQ(up_text(project, empty_world(project)),
            "#1 create network demo_default because it does not exist\n"
            "#2 create container demo-db-1 because it does not exist after #1\n"
            "#3 create container demo-web-1 because it does not exist after #2\n"
            "#4 milestone everything exists after #1,#2,#3\n"
            "#5 start container demo-db-1 because it is new after #4\n"
            "#6 await db service_healthy because web depends on it after #5\n"
            "#7 start container demo-web-1 because it is new after #4,#6\n");
}

TEST(PlanUp, AgainIsNothing) {
  auto project = project_of({"db", "web"});
  service(project, "db").healthcheck.emplace();
  depends(project, "web", "db", "service_healthy");
  const auto plan = plan_up(project, world_after_up(project), {}, true);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(to_text(*plan), "");
  ASSERT_EQ(plan->kept.size(), 3U);
  EXPECT_EQ(plan->kept[0].id, "Container demo-db-1");
  EXPECT_EQ(plan->kept[0].status, "Running");
  EXPECT_EQ(plan->kept[2].status, "Healthy");
  EXPECT_EQ(plan->targets.size(), 2U);
}

TEST(PlanUp, ChangedServiceAloneIsReplacedAndKeepsAnonymousVolumes) {
  auto project = project_of({"db", "web"});
  depends(project, "web", "db");
  const Observed observed = world_after_up(project);
  service(project, "web").environment["A"] = "2";
  const std::string id = observed.containers[1].id.substr(0, 12);
  EXPECT_EQ(up_text(project, observed),
            "#1 create container " + id +
                "_demo-web-1 replacing demo-web-1 keeping its anonymous volumes because its "
                "configuration changed\n"
                "#2 stop container demo-web-1 because it is replaced after #1\n"
                "#3 remove container demo-web-1 because it is replaced after #2\n"
                "#4 rename container " +
                id +
                "_demo-web-1 to demo-web-1 because the old container is gone after #3\n"
                "#5 start container demo-web-1 because it is new after #4\n");
  EXPECT_EQ(up_text(project, observed, {.no_recreate = true}), "");
  EXPECT_EQ(up_text(project, observed, {.services = {"db"}}), "");
}

TEST(PlanUp, DependentsWithRestartAreStoppedBeforeAndStartedAfter) {
  auto project = project_of({"db", "web"});
  depends(project, "web", "db", "service_started", true);
  const Observed observed = world_after_up(project);
  service(project, "db").command = compose::StringList{"new"};
  const std::string id = observed.containers[0].id.substr(0, 12);
  EXPECT_EQ(up_text(project, observed),
            "#1 stop container demo-web-1 because db is replaced and web restarts with it\n"
            "#2 create container " +
                id +
                "_demo-db-1 replacing demo-db-1 keeping its anonymous volumes because its "
                "configuration changed after #1\n"
                "#3 stop container demo-db-1 because it is replaced after #2\n"
                "#4 remove container demo-db-1 because it is replaced after #3\n"
                "#5 rename container " +
                id +
                "_demo-db-1 to demo-db-1 because the old container is gone after #4\n"
                "#6 start container demo-db-1 because it is new after #5\n"
                "#7 start container demo-web-1 because it was stopped for this after #5,#6\n");
}

// Causes of replacement, one by one.
TEST(PlanUp, ReasonsToReplace) {
  auto project = project_of({"web", "side"});
  service(project, "side").network_mode = "service:web";
  service(project, "side").networks.clear();
  project.volumes["data"].name = "demo_data";
  service(project, "web").volumes.push_back(testing::volume_mount("data", "/data"));
  const Observed good = world_after_up(project);
  const auto cause = [&](const Observed& observed, const UpOptions& options = {}) {
    const auto plan = plan_up(project, observed, options, true);
    for (const Step& step : plan->steps) {
      if (std::holds_alternative<CreateContainer>(step.op)) return step.cause;
    }
    return std::string();
  };
  EXPECT_EQ(cause(good), "");
  Observed changed = good;
  changed.image_ids["busybox"] = "sha256:newer";
  EXPECT_EQ(cause(changed), "image busybox changed from busybox to newer");
  changed = good;
  container(changed, "demo-web-1").networks["demo_default"] = "old-id";
  EXPECT_EQ(cause(changed), "it is not attached to network demo_default");
  container(changed, "demo-web-1")
      .networks.clear();  // a replacement of the network that was cut short
  container(changed, "demo-web-1").state = ContainerState::kExited;
  EXPECT_EQ(cause(changed), "it is not attached to network demo_default");
  changed = good;
  container(changed, "demo-web-1").mounts.clear();
  EXPECT_EQ(cause(changed), "volume demo_data is not mounted at /data");
  changed = good;
  container(changed, "demo-side-1").joined = {"somebody else"};
  EXPECT_EQ(cause(changed), "it shares with a container of web that is gone");
  EXPECT_EQ(cause(good, {.force_recreate = true}), "--force-recreate");
  EXPECT_EQ(cause(good, {.renew_anon_volumes = true}), "--renew-anon-volumes");
}

TEST(PlanUp, WhatSharesANamespaceIsReplacedWithItsOwner) {
  auto project = project_of({"app", "side"});
  service(project, "side").network_mode = "service:app";
  service(project, "side").networks.clear();
  const Observed observed = world_after_up(project);
  service(project, "app").user = "1000";
  EXPECT_THAT(up_text(project, observed),
              ::testing::HasSubstr("because it shares with app, which is replaced"));
}

TEST(PlanUp, ForceAppliesToNamedServicesOnly) {
  auto project = project_of({"db", "web"});
  depends(project, "web", "db");
  const Observed observed = world_after_up(project);
  const std::string named =
      up_text(project, observed, {.services = {"web"}, .force_recreate = true});
  EXPECT_THAT(named, ::testing::HasSubstr("replacing demo-web-1"));
  EXPECT_THAT(named, ::testing::Not(::testing::HasSubstr("demo-db-1")));
  EXPECT_THAT(up_text(project, observed, {.services = {"web"}, .always_recreate_deps = true}),
              ::testing::HasSubstr("replacing demo-db-1"));
}

TEST(PlanUp, ScalesUpFromTheHighestAndDownFromTheHighest) {
  auto project = project_of({"web"});
  service(project, "web").scale = 2;
  Observed observed = world_after_up(project);
  EXPECT_EQ(up_text(project, observed, {.scale = {{"web", 1}}}),
            "#1 stop container demo-web-2 because web is scaled to 1\n"
            "#2 remove container demo-web-2 because web is scaled to 1 after #1\n");
  EXPECT_THAT(up_text(project, observed, {.scale = {{"web", 3}}}),
              ::testing::StartsWith("#1 create container demo-web-3 "));
  // An obsolete one goes before a high number.
  container(observed, "demo-web-1").config_hash = "old";
  EXPECT_THAT(up_text(project, observed, {.scale = {{"web", 1}}}),
              ::testing::StartsWith("#1 stop container demo-web-1 "));
  service(project, "web").container_name = "mine";
  EXPECT_THAT(up_text(project, observed),
              ::testing::HasSubstr("using the custom container name \"mine\""));
  EXPECT_EQ(up_text(project, observed, {.scale = {{"x", 1}}}),
            "error: no such service: x: not found\n");
}

TEST(PlanUp, FinishesAReplacementThatWasCutShort) {
  auto project = project_of({"web"});
  Observed observed = world_after_up(project);
  ObservedContainer half = observed.containers[0];
  half.id = "ff" + half.id.substr(2);
  half.state = ContainerState::kCreated;
  half.name = observed.containers[0].id.substr(0, 12) + "_demo-web-1";
  half.labels[kReplaceLabel] = "demo-web-1";
  half.created_at += std::chrono::seconds(1);
  observed.containers[0].config_hash = "old";
  observed.containers.push_back(half);
  EXPECT_EQ(up_text(project, observed),
            "#1 stop container demo-web-1 because it is the rest of a replacement\n"
            "#2 remove container demo-web-1 because it is the rest of a replacement after #1\n"
            "#3 rename container " +
                half.name +
                " to demo-web-1 because its replacement was cut short after #2\n"
                "#4 milestone everything exists after #2,#3\n"
                "#5 start container demo-web-1 because it is created after #4\n");
  observed.containers.erase(observed.containers.begin());
  EXPECT_THAT(up_text(project, observed),
              ::testing::StartsWith("#1 rename container " + half.name + " to demo-web-1"));
}

TEST(PlanUp, OrphansAreNamedOrRemoved) {
  auto project = project_of({"web", "old"});
  const Observed observed = world_after_up(project);
  auto smaller = project_of({"web"});
  EXPECT_EQ(up_text(smaller, observed),
            "! Found orphan containers ([demo-old-1]) for this project. If you removed or renamed "
            "this service in your compose "
            "file, you can run this command with the --remove-orphans flag to clean it up.\n");
  EXPECT_EQ(up_text(smaller, observed, {.remove_orphans = true}),
            "#1 stop container demo-old-1 because its service is not declared\n"
            "#2 remove container demo-old-1 because its service is not declared after #1\n");
  EXPECT_EQ(up_text(smaller, observed, {.ignore_orphans = true}), "");
  smaller.disabled_services["old"] = project.services["old"];
  EXPECT_EQ(up_text(smaller, observed), "");
}

TEST(PlanUp, ExternalResourcesMustExist) {
  auto project = project_of({"web"});
  project.networks["default"].external = true;
  EXPECT_EQ(up_text(project, empty_world(project)),
            "error: network demo_default declared as external, but could not be found\n");
  Observed observed = empty_world(project);
  observed.networks["demo_default"] = {"demo_default", "n1", "", {}};
  project.volumes["data"].name = "data";
  project.volumes["data"].external = true;
  service(project, "web").volumes.push_back(testing::volume_mount("data", "/data"));
  EXPECT_EQ(up_text(project, observed), "error: external volume \"data\" not found\n");
}

TEST(PlanUp, RefusesNetworksOfOthers) {
  auto project = project_of({"web"});
  Observed observed = empty_world(project);
  observed.networks["demo_default"] = {"demo_default", "n1", "", {}};
  EXPECT_EQ(up_text(project, observed),
            "error: network demo_default was found but has incorrect label "
            "com.docker.compose.network set to \"\" (expected: \"default\")\n");
}

TEST(PlanUp, ReplacedNetworkKeepsItsContainers) {
  auto project = project_of({"web"});
  const Observed observed = world_after_up(project);
  project.networks["default"].labels["x"] = "1";
  EXPECT_EQ(up_text(project, observed),
            "#1 stop container demo-web-1 because the definition of network demo_default changed\n"
            "#2 disconnect demo-web-1 from network demo_default because the definition of network "
            "demo_default changed after #1\n"
            "#3 remove network demo_default because the definition of network demo_default changed "
            "after #2\n"
            "#4 create network demo_default because the definition of network demo_default changed "
            "after #3\n"
            "#5 connect demo-web-1 to network demo_default because the definition of network "
            "demo_default changed after #4\n"
            "#6 milestone network demo_default connected after #4,#5\n"
            "#7 start container demo-web-1 because it was stopped for this after #6\n");
}

TEST(PlanUp, ChangedVolumeIsKeptUnlessTold) {
  auto project = project_of({"web"});
  project.volumes["data"].name = "demo_data";
  service(project, "web").volumes.push_back(testing::volume_mount("data", "/data"));
  const Observed observed = world_after_up(project);
  project.volumes["data"].labels["x"] = "1";
  EXPECT_THAT(up_text(project, observed),
              ::testing::StartsWith("! Volume \"demo_data\" exists but doesn't match"));
  const std::string told = up_text(project, observed, {.recreate_all_volumes = true});
  EXPECT_THAT(told, ::testing::HasSubstr("#3 remove volume demo_data"));
  EXPECT_THAT(told, ::testing::HasSubstr("#4 create volume demo_data"));
  EXPECT_THAT(told, ::testing::HasSubstr("create container demo-web-1 because"));
}

TEST(PlanUp, OptionalDependencyDoesNotHoldBack) {
  auto project = project_of({"bad", "web"});
  depends(project, "web", "bad", "service_healthy", false, false);
  EXPECT_THAT(up_text(project, empty_world(project)),
              ::testing::HasSubstr(
                  "await bad service_healthy if it can because web depends on it once over #5\n"));
}

TEST(PlanUp, JobsRunAgainOnEveryUp) {
  auto project = project_of({"job", "web"});
  depends(project, "web", "job", "service_completed_successfully");
  Observed observed = world_after_up(project_of({"job", "web"}));
  container(observed, "demo-job-1").state = ContainerState::kExited;
  EXPECT_EQ(up_text(project, observed),
            "#1 start container demo-job-1 because it is exited\n"
            "#2 await job service_completed_successfully because web depends on it after #1\n");
}

TEST(PlanUp, NoDepsNoStartAndSelection) {
  auto project = project_of({"db", "web", "other"});
  depends(project, "web", "db", "service_healthy");
  EXPECT_EQ(up_text(project, empty_world(project), {.services = {"web"}, .no_deps = true}),
            "#1 create network demo_default because it does not exist\n"
            "#2 create container demo-web-1 because it does not exist after #1\n"
            "#3 milestone everything exists after #1,#2\n"
            "#4 start container demo-web-1 because it is new after #3\n");
  EXPECT_EQ(up_text(project, empty_world(project), {.services = {"web"}, .no_start = true}),
            "#1 create network demo_default because it does not exist\n"
            "#2 create container demo-db-1 because it does not exist after #1\n"
            "#3 create container demo-web-1 because it does not exist after #2\n");
  EXPECT_EQ(up_text(project, empty_world(project), {.services = {"nope"}}),
            "error: no such service: nope\n");
}

TEST(PlanUp, WaitAddsAConditionForEveryService) {
  auto project = project_of({"job", "web"});
  depends(project, "web", "job", "service_completed_successfully");
  const std::string text = up_text(project, empty_world(project), {.wait = true});
  EXPECT_THAT(text, ::testing::HasSubstr(
                        "await job service_completed_successfully because web depends on it"));
  EXPECT_THAT(text, ::testing::HasSubstr("await web running_or_healthy because --wait"));
}

TEST(PlanUp, HooksComeBetweenStarts) {
  auto project = project_of({"web"});
  service(project, "web").scale = 2;
  service(project, "web").post_start.push_back(testing::hook_of("true"));
  EXPECT_THAT(up_text(project, empty_world(project)),
              ::testing::EndsWith(
                  "#5 start container demo-web-1 because it is new after #4\n"
                  "#6 run post_start hook in demo-web-1 because it has started after #5\n"
                  "#7 start container demo-web-2 because it is new after #6\n"
                  "#8 run post_start hook in demo-web-2 because it has started after #7\n"));
}

TEST(PlanUp, MissingImageIsAnErrorBeforeAnything) {
  auto project = project_of({"web"});
  EXPECT_EQ(up_text(project, {}), "error: No such image: busybox\n");
}

TEST(PlanImages, ByPolicy) {
  auto project = project_of({"web", "api"});
  service(project, "api").image = "";
  service(project, "api").build.emplace();
  Observed none;
  EXPECT_EQ(text_of(plan_images(project, none, {})),
            "#1 build image demo-api for api because it is not present\n"
            "#2 pull image busybox for web because it is not present\n");
  const Observed all = empty_world(project);
  EXPECT_EQ(text_of(plan_images(project, all, {})), "");
  EXPECT_EQ(text_of(plan_images(project, all, {.build = true})),
            "#1 build image demo-api for api because --build\n");
  EXPECT_EQ(text_of(plan_images(project, all, {.pull = PullPolicy::kAlways})),
            "#1 pull image busybox for web because pull_policy is always\n");
  EXPECT_EQ(text_of(plan_images(project, none, {.no_build = true, .pull = PullPolicy::kNever})),
            "");
  service(project, "api").image = "registry/api";
  EXPECT_THAT(text_of(plan_images(project, none, {.services = {"api"}})),
              ::testing::HasSubstr("pull or build image registry/api"));
}

TEST(PlanRun, BringsDependenciesUpAndCreatesTheOneOff) {
  auto project = project_of({"db", "web"});
  depends(project, "web", "db", "service_healthy");
  const RunOptions options{.service = "web", .slug = std::string(64, 'a')};
  EXPECT_EQ(text_of(plan_run(project, empty_world(project), options, true)),
            "#1 create network demo_default because it does not exist\n"
            "#2 create container demo-db-1 because it does not exist after #1\n"
            "#3 milestone everything exists after #1,#2\n"
            "#4 start container demo-db-1 because it is new after #3\n"
            "#5 await db service_healthy because web depends on it after #4\n"
            "#6 create container demo-web-run-aaaaaaaaaaaa because of `run` after #3,#5\n");
}

TEST(PlanUp, ThousandServicesWithinBudget) {
  std::vector<std::string> names;
  for (int i = 0; i < 1'000; ++i) names.push_back("s" + std::to_string(i));
  auto project = project_of(names);
  for (int i = 1; i < 1'000; ++i)
    depends(project, names[static_cast<std::size_t>(i)], names[static_cast<std::size_t>(i / 10)]);
  const Observed observed = empty_world(project);
  const auto begin = std::chrono::steady_clock::now();
  const auto plan = plan_up(project, observed, {}, true);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->steps.size(), 2'002U);
  std::size_t edges = 0;
  for (const Step& step : plan->steps) edges += step.after.size() + step.settled.size();
  EXPECT_LT(edges, 6'000U);
  RecordProperty("microseconds", static_cast<int>(took.count()));
}

}  // namespace
}  // namespace stack::scheduler
