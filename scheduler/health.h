// Health of one container: Docker's state machine, exactly. Pure: events with their times in, what
// to do next out.
//
//   start        -> starting, streak 0, log empty; first probe one interval later
//   exit 0       -> healthy, streak 0, also inside the start period
//   other exit   -> not counted while still starting and the probe began inside the start period;
//                   else streak + 1, and unhealthy from `retries` on
//   stop         -> unhealthy, which only an inspection shows
// The interval counts from the end of a probe. start_interval applies while starting inside the
// start period.
//
// What Docker has not: an eager check also looks between those times while it is starting, soon
// after the start and ever more seldom. Only a success of such a look counts, so nothing else is
// different: the container is healthy earlier.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "scheduler/observed.h"

namespace stack::scheduler {

inline constexpr int kHealthLogEntries = 5;
inline constexpr std::size_t kHealthOutputBytes = 4096;

// Zero means Docker's default.
struct HealthConfig {
  Duration interval{};
  Duration timeout{};
  Duration start_period{};
  Duration start_interval{};
  int retries = 0;
  bool eager = false;  // for probes that cost next to nothing

  bool operator==(const HealthConfig&) const = default;
};
// interval 30 s, timeout 30 s, start_interval 5 s, retries 3.
HealthConfig with_defaults(HealthConfig config);

struct ProbeResult {
  WallTime start{};
  WallTime end{};
  int exit_code = 0;   // -1: timed out or could not be run
  std::string output;  // cut to kHealthOutputBytes + "..."

  bool operator==(const ProbeResult&) const = default;
};
// The result of a probe that was killed after `timeout`: exit -1, "Health check exceeded timeout
// (1s)".
ProbeResult timed_out_probe(WallTime start, WallTime end, Duration timeout);

// Everything that must survive to go on after a restart of the engine.
struct HealthState {
  HealthStatus status = HealthStatus::kNone;
  int streak = 0;
  std::vector<ProbeResult> log;  // oldest first
  TimePoint started{};
  std::optional<TimePoint> next_probe;  // not set: a probe is under way, or nothing runs

  bool operator==(const HealthState&) const = default;
};

class HealthMonitor {
 public:
  explicit HealthMonitor(HealthConfig config);
  HealthMonitor(HealthConfig config,
                HealthState state);  // goes on; a probe that was under way is done again at once

  void started(TimePoint now);
  void stopped();
  // The probe of next_probe() begins. It must end in probe_finished() or stopped().
  void probe_begun(TimePoint now);
  // Returns true when the status changed.
  bool probe_finished(TimePoint now, ProbeResult result);

  std::optional<TimePoint> next_probe() const { return state_.next_probe; }
  // How long the probe that begins now may take: an eager look must not delay the probe after it.
  Duration timeout_at(TimePoint now) const;
  const HealthState& state() const { return state_; }
  HealthStatus status() const { return state_.status; }
  const HealthConfig& config() const { return config_; }

 private:
  Duration interval_at(TimePoint now) const;
  void schedule(TimePoint now);
  bool looks_early(TimePoint now) const;

  HealthConfig config_;
  HealthState state_;
  TimePoint probe_began_{};
  TimePoint regular_probe_{};  // when Docker would probe next
  bool running_ = false;
};

}  // namespace stack::scheduler
