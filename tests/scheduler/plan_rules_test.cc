// The rules of `up` that go beyond what the plan of a fresh or unchanged project shows: contents,
// jobs, pull policies, questions, directories, causes.
#include <gtest/gtest.h>

#include <chrono>

#include "compose/config_hash.h"
#include "scheduler/change.h"
#include "scheduler/conditions.h"
#include "scheduler/inputs.h"
#include "scheduler/inventory.h"
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

compose::Project with_config(const std::string& content) {
  auto project = project_of({"web"});
  project.configs["app"].content = content;
  project.secrets["key"].file = "/secrets/key";
  service(project, "web").configs.emplace_back().source = "app";
  service(project, "web").secrets.emplace_back().source = "key";
  return project;
}

TEST(Inputs, NameWhatTheyAreMadeOf) {
  const auto project = with_config("a");
  EXPECT_EQ(input_files(project), std::vector<std::string>{"/secrets/key"});
  const std::string text =
      inputs_of(project, project.services.at("web"), {{"/secrets/key", std::string(64, 'f')}});
  EXPECT_EQ(text, "config:app=ca978112ca1bbdca,secret:key=ffffffffffffffff");
  EXPECT_EQ(changed_input(text, text), std::nullopt);
  EXPECT_EQ(changed_input("config:app=0,secret:key=ffffffffffffffff", text), "config app");
  EXPECT_EQ(changed_input("", text), std::nullopt);
}

TEST(PlanUp, EditedContentsReplaceTheirUsers) {
  auto world = world_after_up(with_config("a"));
  EXPECT_EQ(up_text(with_config("a"), world), "");
  const std::string id = world.containers[0].id.substr(0, 12);
  EXPECT_TRUE(
      up_text(with_config("b"), world)
          .starts_with("#1 create container " + id +
                       "_demo-web-1 replacing demo-web-1 keeping its anonymous volumes because "
                       "the content of config app changed\n"));
}

TEST(PlanUp, JobWithRerunChangedStaysDone) {
  auto project = project_of({"job", "web"});
  auto world = world_after_up(project);  // what follows is not in the hash
  depends(project, "web", "job", "service_completed_successfully");
  service(project, "job").x_stack.rerun = "changed";
  world.containers[0].state = ContainerState::kExited;
  EXPECT_EQ(up_text(project, world), "");
  world.containers[0].exit_code = 3;  // it failed: again
  EXPECT_NE(up_text(project, world), "");
  world.containers[0].exit_code = 0;
  service(project, "job").environment["V"] = "2";
  EXPECT_NE(up_text(project, world).find("replacing demo-job-1"), std::string::npos);
}

TEST(PlanImages, AgedImagesArePulledAgain) {
  auto project = project_of({"web"});
  auto world = empty_world(project);
  const auto text = [&](const char* policy, std::chrono::hours age) {
    service(project, "web").pull_policy = policy;
    world.now = WallTime(std::chrono::hours(1000));
    world.image_ages["busybox"] = world.now - age;
    return text_of(plan_images(project, world, {}));
  };
  using std::chrono::hours;
  EXPECT_EQ(text("daily", hours(23)), "");
  EXPECT_EQ(text("daily", hours(25)),
            "#1 pull image busybox for web because pull_policy is daily and it is 25h0m0s old\n");
  EXPECT_EQ(text("weekly", hours(24 * 6)), "");
  EXPECT_NE(text("weekly", hours(24 * 8)), "");
  EXPECT_EQ(text("every_12h", hours(11)), "");
  EXPECT_NE(text("every_12h", hours(13)), "");
  EXPECT_EQ(text("missing", hours(900)), "");
  EXPECT_NE(text("always", hours(0)), "");
}

TEST(PlanUp, ScaledDownReplicasGetTheirHooks) {
  auto project = project_of({"web"});
  service(project, "web").scale = 2;
  const auto world = world_after_up(project);
  service(project, "web").scale = 1;
  service(project, "web").pre_stop = {testing::hook_of("drain")};
  const auto plan = plan_up(project, world, {.no_recreate = true}, true);
  ASSERT_TRUE(plan.ok());
  ASSERT_GE(plan->steps.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<RunHook>(plan->steps[0].op));
  EXPECT_TRUE(std::holds_alternative<StopContainer>(plan->steps[1].op));
  EXPECT_EQ(plan->steps[1].settled, std::vector<int>{1});  // whatever the hook ended with
}

TEST(PlanUp, AsksBeforeDataIsLost) {
  auto project = project_of({"db"});
  project.volumes["data"].name = "demo_data";
  service(project, "db").volumes = {testing::volume_mount("data", "/data")};
  const auto world = world_after_up(project);
  project.volumes["data"].driver_opts["device"] = "/elsewhere";
  const auto asked = plan_up(project, world, {.ask = true}, true);
  ASSERT_TRUE(asked.ok());
  ASSERT_EQ(asked->questions.size(), 1U);
  EXPECT_EQ(asked->questions[0].text,
            "Volume \"demo_data\" exists but doesn't match configuration in compose file. Recreate "
            "(data will be lost)?");
  const auto yes = plan_up(project, world, {.recreate_volumes = {"demo_data"}}, true);
  ASSERT_TRUE(yes.ok());
  EXPECT_TRUE(yes->questions.empty());
  EXPECT_NE(to_text(*yes).find("remove volume demo_data"), std::string::npos);
}

TEST(Directory, AnothersProjectIsNotTouched) {
  auto project = project_of({"web"});
  project.working_dir = "/here";
  Observed world;
  EXPECT_TRUE(check_directory(project, world).ok());
  world.other_directory = "/there";
  const auto refused = check_directory(project, world);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "project \"demo\" is that of /there, not of /here");
}

TEST(Changes, NameTheAttribute) {
  auto project = project_of({"web"});
  compose::Service before = service(project, "web");
  before.environment = {{"COLOUR", "red"}, {"GONE", "1"}, {"DB_PASSWORD", "one"}};
  compose::Service after = before;
  after.environment = {{"COLOUR", "blue"}, {"DB_PASSWORD", "two"}, {"NEW", "x"}};
  after.scale = 7;  // does not count
  EXPECT_EQ(changes_between(before, before), std::vector<Change>{});
  const std::vector<Change> expected = {{"environment.COLOUR", "\"red\"", "\"blue\""},
                                        {"environment.DB_PASSWORD", "(hidden)", "(hidden)"},
                                        {"environment.GONE", "\"1\"", ""},
                                        {"environment.NEW", "", "\"x\""}};
  EXPECT_EQ(changes_between(before, after), expected);
  EXPECT_EQ(to_string(expected),
            "environment.COLOUR changed from \"red\" to \"blue\"; environment.DB_PASSWORD changed; "
            "environment.GONE \"1\" is gone; 1 more differ");
}

TEST(PlanUp, CauseIsTheAttributeWhenTheOldDefinitionIsRemembered) {
  auto project = project_of({"web"});
  service(project, "web").environment["COLOUR"] = "red";
  auto world = world_after_up(project);
  const auto old = std::make_shared<const compose::Service>(service(project, "web"));
  world.declared_before = [&](const std::string& name, const std::string& hash) {
    return name == "web" && hash == compose::config_hash(*old) ? old : nullptr;
  };
  service(project, "web").environment["COLOUR"] = "blue";
  const auto plan = plan_up(project, world, {}, true);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->steps[0].cause, "environment.COLOUR changed from \"red\" to \"blue\"");
  ASSERT_EQ(plan->steps[0].changes.size(), 1U);
}

TEST(Conditions, WaitTakesAJobThatEndedWell) {
  ObservedContainer job;
  job.state = ContainerState::kExited;
  using Condition = AwaitCondition::Condition;
  EXPECT_EQ(evaluate(Condition::kRunningOrHealthy, "job", {&job}).state, Verdict::State::kMet);
  EXPECT_EQ(evaluate(Condition::kHealthy, "job", {&job}).state, Verdict::State::kFailed);
  job.exit_code = 2;
  EXPECT_EQ(evaluate(Condition::kRunningOrHealthy, "job", {&job}).state, Verdict::State::kFailed);
}

}  // namespace
}  // namespace stack::scheduler
