#include "scheduler/restart.h"

#include <gtest/gtest.h>

namespace stack::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = RestartPolicy::Kind;

RestartPolicy policy(const char* text) {
  auto parsed = parse_restart_policy(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? *parsed : RestartPolicy{};
}

TEST(RestartPolicy, ParsesAndPrints) {
  for (const char* text : {"no", "always", "unless-stopped", "on-failure", "on-failure:3"}) {
    EXPECT_EQ(to_string(policy(text)), text);
  }
  EXPECT_EQ(policy("").kind, Kind::kNo);
  EXPECT_EQ(policy("on-failure:3").max_retries, 3);
}

TEST(RestartPolicy, RefusesWithDockersTexts) {
  const auto error = [](const char* text) { return parse_restart_policy(text).error().message; };
  EXPECT_EQ(error("sometimes"),
            "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', "
            "'on-failure', or 'unless-stopped'");
  EXPECT_EQ(error("on-failure:x"),
            "invalid restart policy: maximum retry count must be an integer");
  EXPECT_EQ(error("always:3"),
            "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  EXPECT_EQ(error("on-failure:-1"),
            "invalid restart policy: maximum retry count cannot be negative");
}

TEST(Restart, BacksOffDoublingToAMinuteAndBeginsAnewAfterALongRun) {
  RestartState state;
  std::vector<std::int64_t> delays;
  for (int i = 0; i < 12; ++i) {
    const auto decision = decide_exit(policy("always"), state, {1, milliseconds(5), false});
    ASSERT_TRUE(decision.restart);
    delays.push_back(std::chrono::duration_cast<milliseconds>(decision.delay).count());
    state = decision.next;
  }
  EXPECT_EQ(delays, (std::vector<std::int64_t>{100, 200, 400, 800, 1'600, 3'200, 6'400, 12'800,
                                               25'600, 51'200, 60'000, 60'000}));
  EXPECT_EQ(state.count, 12);
  EXPECT_EQ(decide_exit(policy("always"), state, {1, seconds(10), false}).delay, milliseconds(100));
  EXPECT_EQ(decide_exit(policy("always"), state, {1, milliseconds(9'999), false}).delay,
            seconds(60));
}

TEST(Restart, EachPolicyOnEachExit) {
  const auto restarts = [](const char* text, int code, bool by_command = false) {
    return decide_exit(policy(text), {}, {code, seconds(1), by_command}).restart;
  };
  EXPECT_FALSE(restarts("no", 1));
  EXPECT_TRUE(restarts("always", 0));
  EXPECT_TRUE(restarts("unless-stopped", 0));
  EXPECT_TRUE(restarts("on-failure", 137));
  EXPECT_FALSE(restarts("on-failure", 0));
  for (const char* text : {"always", "unless-stopped", "on-failure"})
    EXPECT_FALSE(restarts(text, 138, true)) << text;
}

TEST(Restart, OnFailureGivesUpWithAReason) {
  RestartState state;
  for (int i = 0; i < 3; ++i) {
    const auto decision = decide_exit(policy("on-failure:3"), state, {2, seconds(0), false});
    ASSERT_TRUE(decision.restart) << i;
    state = decision.next;
  }
  const auto last = decide_exit(policy("on-failure:3"), state, {2, seconds(0), false});
  EXPECT_FALSE(last.restart);
  EXPECT_EQ(last.reason, "exited (2), restart policy on-failure:3 gave up after 3 restarts");
}

TEST(Restart, UnhealthyFollowsThePolicyAndItsBackOff) {
  const RestartState second{1, milliseconds(100)};
  EXPECT_EQ(decide_unhealthy(policy("always"), "", second, seconds(3)).delay, milliseconds(200));
  EXPECT_EQ(decide_unhealthy(policy("on-failure"), "restart", {}, seconds(30)).delay,
            milliseconds(100));
  EXPECT_TRUE(decide_unhealthy(policy("unless-stopped"), "", {}, {}).restart);
  EXPECT_FALSE(decide_unhealthy(policy("no"), "restart", {}, {}).restart);
  EXPECT_FALSE(decide_unhealthy(policy("always"), "none", {}, {}).restart);
  EXPECT_FALSE(decide_unhealthy(policy("on-failure:1"), "", second, {}).restart);
}

TEST(Restart, AtBoot) {
  EXPECT_TRUE(restart_at_boot(policy("always"), 0, true, false));
  EXPECT_FALSE(restart_at_boot(policy("unless-stopped"), 0, true, false));
  EXPECT_TRUE(restart_at_boot(policy("unless-stopped"), 0, false, true));
  EXPECT_TRUE(restart_at_boot(policy("on-failure"), 0, false, true));
  EXPECT_FALSE(restart_at_boot(policy("on-failure"), 0, false, false));
  EXPECT_FALSE(restart_at_boot(policy("no"), 1, false, true));
}

TEST(Restart, DeployPolicyHasItsOwnDelayLimitAndWindow) {
  compose::Service service;
  service.restart = "always";
  service.deploy.emplace();
  auto& declared = service.deploy->restart_policy.emplace();
  declared.condition = "any";
  declared.delay = std::chrono::seconds(5);
  declared.max_attempts = 2;
  declared.window = std::chrono::minutes(1);
  const auto policy = restart_policy_of(service);
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(to_string(*policy), "any:2");
  RestartPolicy copy = *parse_restart_policy("always");
  apply_restart_label(restart_label(*policy), &copy);
  EXPECT_EQ(copy, *policy);

  const ContainerExit crash{1, std::chrono::seconds(3), false};
  RestartDecision decision = decide_exit(*policy, {}, crash);
  EXPECT_TRUE(decision.restart);
  EXPECT_EQ(decision.delay, std::chrono::seconds(5));
  decision = decide_exit(*policy, decision.next, crash);
  EXPECT_EQ(decision.delay, std::chrono::seconds(5));  // as declared, no doubling
  const RestartDecision over = decide_exit(*policy, decision.next, crash);
  EXPECT_FALSE(over.restart);
  EXPECT_EQ(over.reason, "exited (1), restart policy any:2 gave up after 2 restarts");
  // A run as long as the window was a success.
  const RestartDecision again =
      decide_exit(*policy, decision.next, {1, std::chrono::minutes(2), false});
  EXPECT_TRUE(again.restart);
  EXPECT_EQ(again.next.count, 1);
}

TEST(Restart, DeployConditions) {
  const auto kind = [](const char* condition) {
    compose::Service service;
    service.deploy.emplace();
    service.deploy->restart_policy.emplace().condition = condition;
    return restart_policy_of(service)->kind;
  };
  EXPECT_EQ(kind("none"), Kind::kNo);
  EXPECT_EQ(kind("on-failure"), Kind::kOnFailure);
  EXPECT_EQ(kind("any"), Kind::kAlways);
  EXPECT_EQ(kind(""), Kind::kAlways);
  EXPECT_EQ(kind("unless-stopped"), Kind::kUnlessStopped);
  EXPECT_EQ(restart_label({Kind::kOnFailure, 3}), "");
}

}  // namespace
}  // namespace stack::scheduler
