#include "scheduler/health.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace stack::scheduler {

namespace {

using std::chrono::duration_cast;

// The next look is a quarter of the age away: readiness is seen at most a quarter late.
constexpr Duration kFirstEagerLook = std::chrono::milliseconds(10);

// Go's way of writing a duration, as far as health checks need it: 1s, 500ms, 1m30s, 1.5s.
std::string duration_text(Duration d) {
  const auto ns = d.count();
  const auto decimal = [](double value, std::string_view unit) {
    return fmt::format("{:g}{}", value, unit);
  };
  if (ns < 1'000) return fmt::format("{}ns", ns);
  if (ns < 1'000'000) return decimal(static_cast<double>(ns) / 1e3, "µs");
  if (ns < 1'000'000'000) return decimal(static_cast<double>(ns) / 1e6, "ms");
  const auto minutes = ns / 60'000'000'000;
  const auto rest = decimal(static_cast<double>(ns % 60'000'000'000) / 1e9, "s");
  if (minutes == 0) return rest;
  if (minutes < 60) return fmt::format("{}m{}", minutes, rest);
  return fmt::format("{}h{}m{}", minutes / 60, minutes % 60, rest);
}

}  // namespace

HealthConfig with_defaults(HealthConfig config) {
  using std::chrono::seconds;
  if (config.interval <= Duration{}) config.interval = seconds(30);
  if (config.timeout <= Duration{}) config.timeout = seconds(30);
  if (config.start_period < Duration{}) config.start_period = Duration{};
  if (config.start_interval <= Duration{}) config.start_interval = seconds(5);
  if (config.retries <= 0) config.retries = 3;
  return config;
}

ProbeResult timed_out_probe(WallTime start, WallTime end, Duration timeout) {
  return {start, end, -1,
          fmt::format("Health check exceeded timeout ({})", duration_text(timeout))};
}

HealthMonitor::HealthMonitor(HealthConfig config) : config_(with_defaults(config)) {}

HealthMonitor::HealthMonitor(HealthConfig config, HealthState state)
    : config_(with_defaults(config)),
      state_(std::move(state)),
      running_(state_.status != HealthStatus::kNone) {
  if (state_.status != HealthStatus::kNone && !state_.next_probe)
    state_.next_probe = state_.started;
  regular_probe_ = state_.started + interval_at(state_.started);
}

void HealthMonitor::started(TimePoint now) {
  running_ = true;
  state_ = HealthState{};
  state_.status = HealthStatus::kStarting;
  state_.started = now;
  regular_probe_ = now + interval_at(now);
  schedule(now);
}

void HealthMonitor::stopped() {
  running_ = false;
  state_.status = HealthStatus::kUnhealthy;
  state_.next_probe.reset();
}

void HealthMonitor::probe_begun(TimePoint now) {
  probe_began_ = now;
  state_.next_probe.reset();
}

bool HealthMonitor::probe_finished(TimePoint now, ProbeResult result) {
  if (!running_) return false;  // it stopped while the probe ran
  const HealthStatus before = state_.status;
  if (result.output.size() > kHealthOutputBytes) {
    result.output.resize(kHealthOutputBytes);
    result.output += "...";
  }
  const bool healthy = result.exit_code == 0;
  if (!healthy && looks_early(probe_began_)) {
    schedule(now);
    return false;
  }
  if (state_.log.size() >= kHealthLogEntries) state_.log.erase(state_.log.begin());
  state_.log.push_back(std::move(result));

  if (healthy) {
    state_.streak = 0;
    state_.status = HealthStatus::kHealthy;
  } else {
    const bool forgiven = state_.status == HealthStatus::kStarting &&
                          probe_began_ - state_.started < config_.start_period;
    if (!forgiven && ++state_.streak >= config_.retries) state_.status = HealthStatus::kUnhealthy;
  }
  regular_probe_ = now + interval_at(now);
  schedule(now);
  return state_.status != before;
}

Duration HealthMonitor::timeout_at(TimePoint now) const {
  return looks_early(now) ? std::min(config_.timeout, regular_probe_ - now) : config_.timeout;
}

void HealthMonitor::schedule(TimePoint now) {
  state_.next_probe = regular_probe_;
  if (!looks_early(now)) return;
  const Duration wait = std::max<Duration>(kFirstEagerLook, (now - state_.started) / 4);
  state_.next_probe = std::min(regular_probe_, now + wait);
}

bool HealthMonitor::looks_early(TimePoint now) const {
  return config_.eager && state_.status == HealthStatus::kStarting && now < regular_probe_;
}

Duration HealthMonitor::interval_at(TimePoint now) const {
  const bool in_start_period = now - state_.started < config_.start_period;
  return in_start_period && state_.status == HealthStatus::kStarting ? config_.start_interval
                                                                     : config_.interval;
}

}  // namespace stack::scheduler
