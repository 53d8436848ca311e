#include "scheduler/health.h"

#include <gtest/gtest.h>

namespace stack::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint at(std::int64_t ms) { return TimePoint(milliseconds(ms)); }
std::int64_t ms_of(std::optional<TimePoint> t) {
  return t ? std::chrono::duration_cast<milliseconds>(t->time_since_epoch()).count() : -1;
}

// Steps a monitor whose probes all take `probe_ms` until `until_ms`; tells when probes began and
// when the status changed.
struct Probing {
  std::vector<std::int64_t> probes;
  std::map<std::int64_t, HealthStatus> changes;
  std::map<std::int64_t, int> streaks;
};
Probing probe(HealthMonitor& monitor, std::int64_t probe_ms, std::int64_t until_ms,
              const std::function<int(int)>& exit_of) {
  Probing run;
  while (monitor.next_probe() && ms_of(monitor.next_probe()) <= until_ms) {
    const std::int64_t begin = ms_of(monitor.next_probe());
    monitor.probe_begun(at(begin));
    EXPECT_EQ(monitor.next_probe(), std::nullopt);
    const int exit_code = exit_of(static_cast<int>(run.probes.size()));
    run.probes.push_back(begin);
    if (monitor.probe_finished(at(begin + probe_ms), {{}, {}, exit_code, "out"}))
      run.changes[begin + probe_ms] = monitor.status();
    run.streaks[begin + probe_ms] = monitor.state().streak;
  }
  return run;
}

TEST(Health, DefaultsAreDockers) {
  const HealthConfig config = with_defaults({});
  EXPECT_EQ(config.interval, seconds(30));
  EXPECT_EQ(config.timeout, seconds(30));
  EXPECT_EQ(config.start_interval, seconds(5));
  EXPECT_EQ(config.start_period, seconds(0));
  EXPECT_EQ(config.retries, 3);
}

// Measured on Docker: interval 1s, retries 3, always failing: probes at about 1.0, 2.1, 3.2 s,
// unhealthy at 3.3 s.
TEST(Health, AlwaysFailing) {
  HealthMonitor monitor({.interval = seconds(1), .retries = 3});
  monitor.started(at(0));
  EXPECT_EQ(monitor.status(), HealthStatus::kStarting);
  const Probing r = probe(monitor, 100, 3'500, [](int) { return 1; });
  EXPECT_EQ(r.probes, (std::vector<std::int64_t>{1'000, 2'100, 3'200}));
  EXPECT_EQ(r.changes, (std::map<std::int64_t, HealthStatus>{{3'300, HealthStatus::kUnhealthy}}));
}

// start_period 10s without start_interval: the first probe comes after 5 s.
TEST(Health, StartPeriodUsesStartInterval) {
  HealthMonitor monitor({.interval = seconds(1), .start_period = seconds(10)});
  monitor.started(at(0));
  EXPECT_EQ(ms_of(monitor.next_probe()), 5'000);
}

// start_period 4s, start_interval 500ms, retries 2: streak 1 at 4.1 s, unhealthy at 5.2 s.
TEST(Health, FailuresCountFromTheEndOfTheStartPeriod) {
  HealthMonitor monitor({.interval = seconds(1),
                         .start_period = seconds(4),
                         .start_interval = milliseconds(500),
                         .retries = 2});
  monitor.started(at(0));
  const Probing r = probe(monitor, 85, 6'000, [](int) { return 1; });
  EXPECT_EQ(r.streaks.lower_bound(4'000)->second, 1);
  EXPECT_NEAR(static_cast<double>(r.streaks.lower_bound(4'000)->first), 4'100, 200);
  ASSERT_EQ(r.changes.size(), 1U);
  EXPECT_NEAR(static_cast<double>(r.changes.begin()->first), 5'200, 200);
  EXPECT_EQ(r.changes.begin()->second, HealthStatus::kUnhealthy);
}

TEST(Health, OneSuccessInsideTheStartPeriodMakesFailuresCount) {
  HealthMonitor monitor({.interval = seconds(1),
                         .start_period = seconds(30),
                         .start_interval = milliseconds(500),
                         .retries = 2});
  monitor.started(at(0));
  const Probing r = probe(monitor, 0, 4'000, [](int n) { return n == 0 ? 0 : 1; });
  EXPECT_EQ(r.changes, (std::map<std::int64_t, HealthStatus>{{500, HealthStatus::kHealthy},
                                                             {2'500, HealthStatus::kUnhealthy}}));
}

TEST(Health, UnhealthyGoesOnCountingAndOneSuccessHeals) {
  HealthMonitor monitor({.interval = seconds(1), .retries = 2});
  monitor.started(at(0));
  const Probing r = probe(monitor, 0, 5'000, [](int n) { return n < 4 ? 7 : 0; });
  EXPECT_EQ(r.streaks.at(4'000), 4);
  EXPECT_EQ(r.changes.at(2'000), HealthStatus::kUnhealthy);
  EXPECT_EQ(r.changes.at(5'000), HealthStatus::kHealthy);
  EXPECT_EQ(monitor.state().streak, 0);
}

// The looks before the first regular probe: each a quarter of the age later, at least 10 ms.
TEST(Health, AnEagerCheckSeesReadinessEarly) {
  HealthMonitor monitor({.interval = seconds(1), .eager = true});
  monitor.started(at(0));
  const Probing r = probe(monitor, 0, 2'500, [](int n) { return n == 6 ? 0 : 1; });
  EXPECT_EQ(r.probes, (std::vector<std::int64_t>{10, 20, 30, 40, 50, 62, 77, 1'077, 2'077}));
  EXPECT_EQ(r.changes, (std::map<std::int64_t, HealthStatus>{{77, HealthStatus::kHealthy}}));
}

TEST(Health, AFailedEagerLookIsNeitherCountedNorKept) {
  HealthMonitor monitor({.interval = seconds(1), .retries = 2, .eager = true});
  monitor.started(at(0));
  const Probing r = probe(monitor, 0, 2'000, [](int) { return 1; });
  EXPECT_EQ(r.changes, (std::map<std::int64_t, HealthStatus>{{2'000, HealthStatus::kUnhealthy}}));
  EXPECT_EQ(r.streaks.at(1'000), 1);
  EXPECT_EQ(monitor.state().log.size(), 2U);
}

TEST(Health, AnEagerLookEndsWhenTheRegularProbeIsDue) {
  HealthMonitor monitor({.interval = seconds(1), .timeout = seconds(30), .eager = true});
  monitor.started(at(0));
  EXPECT_EQ(monitor.timeout_at(at(10)), milliseconds(990));
  monitor.probe_begun(at(10));
  monitor.probe_finished(at(1'000), {{}, {}, -1, ""});
  EXPECT_EQ(ms_of(monitor.next_probe()), 1'000);
  EXPECT_EQ(monitor.state().streak, 0);
  EXPECT_EQ(monitor.timeout_at(at(1'000)), seconds(30));
}

TEST(Health, KeepsFiveResultsAndCutsOutput) {
  HealthMonitor monitor({.interval = seconds(1)});
  monitor.started(at(0));
  for (int i = 0; i < 7; ++i) {
    monitor.probe_begun(at(1'000 * i));
    monitor.probe_finished(at(1'000 * i), {{}, {}, i, std::string(5'000, 'x')});
  }
  ASSERT_EQ(monitor.state().log.size(), 5U);
  EXPECT_EQ(monitor.state().log.front().exit_code, 2);
  EXPECT_EQ(monitor.state().log.back().output, std::string(4'096, 'x') + "...");
}

TEST(Health, StoppingEndsItAndALateResultIsIgnored) {
  HealthMonitor monitor({.interval = seconds(1)});
  monitor.started(at(0));
  monitor.probe_begun(at(1'000));
  monitor.stopped();
  EXPECT_FALSE(monitor.probe_finished(at(1'100), {{}, {}, 0, ""}));
  EXPECT_EQ(monitor.status(), HealthStatus::kUnhealthy);
  EXPECT_EQ(monitor.next_probe(), std::nullopt);
  monitor.started(at(5'000));
  EXPECT_EQ(monitor.status(), HealthStatus::kStarting);
  EXPECT_TRUE(monitor.state().log.empty());
  EXPECT_EQ(ms_of(monitor.next_probe()), 6'000);
}

TEST(Health, GoesOnAfterARestartOfTheEngine) {
  HealthMonitor monitor({.interval = seconds(1)});
  monitor.started(at(0));
  monitor.probe_begun(at(1'000));
  HealthMonitor again({.interval = seconds(1)}, monitor.state());
  ASSERT_TRUE(again.next_probe().has_value());
  EXPECT_LE(ms_of(again.next_probe()), 1'000);
}

TEST(Health, TimeoutText) {
  EXPECT_EQ(timed_out_probe({}, {}, seconds(1)).output, "Health check exceeded timeout (1s)");
  EXPECT_EQ(timed_out_probe({}, {}, milliseconds(1'500)).output,
            "Health check exceeded timeout (1.5s)");
  EXPECT_EQ(timed_out_probe({}, {}, milliseconds(200)).output,
            "Health check exceeded timeout (200ms)");
  EXPECT_EQ(timed_out_probe({}, {}, seconds(90)).output, "Health check exceeded timeout (1m30s)");
  EXPECT_EQ(timed_out_probe({}, {}, seconds(1)).exit_code, -1);
}

}  // namespace
}  // namespace stack::scheduler
