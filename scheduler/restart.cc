#include "scheduler/restart.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "compose/units.h"

namespace stack::scheduler {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kFirstDelay = milliseconds(100);
constexpr Duration kLongestDelay = minutes(1);
constexpr Duration kLongRun = seconds(10);

RestartDecision restart_after_backoff(const RestartPolicy& policy, const RestartState& state,
                                      Duration ran, std::string reason) {
  if (policy.delay > Duration{})
    return {true, policy.delay, std::move(reason), {state.count + 1, policy.delay}};
  const Duration last = ran >= kLongRun ? Duration{} : state.last_delay;
  const Duration delay = last <= Duration{} ? kFirstDelay : std::min(2 * last, kLongestDelay);
  return {true, delay, std::move(reason), {state.count + 1, delay}};
}

// A run as long as the window was a success: what came before it is forgotten.
RestartState within_window(const RestartPolicy& policy, RestartState state, Duration ran) {
  if (policy.window > Duration{} && ran >= policy.window) state.count = 0;
  return state;
}

bool gives_up(const RestartPolicy& policy, const RestartState& state) {
  return policy.max_retries > 0 && state.count >= policy.max_retries;
}

RestartDecision stay(const RestartState& state, std::string reason) {
  return {false, {}, std::move(reason), state};
}

}  // namespace

Result<RestartPolicy> parse_restart_policy(std::string_view text) {
  using Kind = RestartPolicy::Kind;
  const auto colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  RestartPolicy policy;
  if (name.empty() || name == "no") {
    policy.kind = Kind::kNo;
  } else if (name == "always") {
    policy.kind = Kind::kAlways;
  } else if (name == "unless-stopped") {
    policy.kind = Kind::kUnlessStopped;
  } else if (name == "on-failure") {
    policy.kind = Kind::kOnFailure;
  } else {
    return Error::invalid(
        fmt::format("invalid restart policy: unknown policy '{}'; use one of 'no', 'always', "
                    "'on-failure', or 'unless-stopped'",
                    name));
  }
  if (colon == std::string_view::npos) return policy;

  const std::string_view count = text.substr(colon + 1);
  const auto parsed =
      std::from_chars(count.data(), count.data() + count.size(), policy.max_retries);
  if (parsed.ec != std::errc{} || parsed.ptr != count.data() + count.size() || count.empty()) {
    return Error::invalid("invalid restart policy: maximum retry count must be an integer");
  }
  if (policy.kind != Kind::kOnFailure) {
    return Error::invalid(
        "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (policy.max_retries < 0) {
    return Error::invalid("invalid restart policy: maximum retry count cannot be negative");
  }
  return policy;
}

std::string to_string(const RestartPolicy& policy) {
  switch (policy.kind) {
    case RestartPolicy::Kind::kNo:
      return "no";
    case RestartPolicy::Kind::kAlways:
      return policy.max_retries > 0 ? fmt::format("any:{}", policy.max_retries) : "always";
    case RestartPolicy::Kind::kUnlessStopped:
      return "unless-stopped";
    case RestartPolicy::Kind::kOnFailure:
      return policy.max_retries > 0 ? fmt::format("on-failure:{}", policy.max_retries)
                                    : "on-failure";
  }
  return "";
}

Result<RestartPolicy> restart_policy_of(const compose::Service& service) {
  if (!service.deploy || !service.deploy->restart_policy)
    return parse_restart_policy(service.restart);
  const compose::RestartPolicy& from = *service.deploy->restart_policy;
  RestartPolicy policy;
  if (from.condition == "none" || from.condition == "no") return policy;
  if (from.condition == "on-failure") {
    policy.kind = RestartPolicy::Kind::kOnFailure;
  } else if (from.condition == "unless-stopped") {
    policy.kind = RestartPolicy::Kind::kUnlessStopped;
  } else {
    policy.kind = RestartPolicy::Kind::kAlways;  // any, always, or nothing said
  }
  constexpr std::uint64_t kMany = 1'000'000;
  policy.max_retries = static_cast<int>(std::min(from.max_attempts.value_or(0), kMany));
  policy.delay = from.delay.value_or(Duration{});
  policy.window = from.window.value_or(Duration{});
  return policy;
}

std::string restart_label(const RestartPolicy& policy) {
  const bool limited = policy.max_retries > 0 && policy.kind != RestartPolicy::Kind::kOnFailure;
  if (!limited && policy.delay <= Duration{} && policy.window <= Duration{}) return {};
  return fmt::format("max_attempts={},delay={},window={}", policy.max_retries,
                     compose::duration_text(policy.delay), compose::duration_text(policy.window));
}

void apply_restart_label(std::string_view text, RestartPolicy* policy) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = part.substr(0, equals);
    const std::string_view value = part.substr(equals + 1);
    if (key == "max_attempts") {
      std::from_chars(value.data(), value.data() + value.size(), policy->max_retries);
    } else if (const auto duration = compose::parse_duration(value); duration.ok()) {
      (key == "delay" ? policy->delay : policy->window) = *duration;
    }
  }
}

RestartDecision decide_exit(const RestartPolicy& policy, const RestartState& before,
                            const ContainerExit& exit) {
  using Kind = RestartPolicy::Kind;
  const RestartState state = within_window(policy, before, exit.ran);
  const std::string what = fmt::format("exited ({})", exit.exit_code);
  if (exit.stop_requested) return stay(state, "stopped by command");
  if (policy.kind == Kind::kNo) return stay(state, what + ", no restart policy");
  if (policy.kind == Kind::kOnFailure) {
    if (exit.exit_code == 0) return stay(state, what + ", restart policy on-failure");
  }
  if (gives_up(policy, state)) {
    return stay(state, fmt::format("{}, restart policy {} gave up after {} restart{}", what,
                                   to_string(policy), state.count, state.count == 1 ? "" : "s"));
  }
  return restart_after_backoff(policy, state, exit.ran,
                               what + ", restart policy " + to_string(policy));
}

RestartDecision decide_unhealthy(const RestartPolicy& policy, std::string_view on_unhealthy,
                                 const RestartState& before, Duration ran) {
  const RestartState state = within_window(policy, before, ran);
  if (on_unhealthy == "none") return stay(state, "unhealthy, on_unhealthy is none");
  if (policy.kind == RestartPolicy::Kind::kNo) return stay(state, "unhealthy, no restart policy");
  if (gives_up(policy, state)) {
    return stay(state, fmt::format("unhealthy, restart policy {} gave up after {} restart{}",
                                   to_string(policy), state.count, state.count == 1 ? "" : "s"));
  }
  return restart_after_backoff(policy, state, ran,
                               "unhealthy, restart policy " + to_string(policy));
}

bool restart_at_boot(const RestartPolicy& policy, int exit_code, bool stop_requested,
                     bool was_running) {
  using Kind = RestartPolicy::Kind;
  switch (policy.kind) {
    case Kind::kNo:
      return false;
    case Kind::kAlways:
      return true;
    case Kind::kUnlessStopped:
      return !stop_requested;
    case Kind::kOnFailure:
      return !stop_requested && (was_running || exit_code != 0);
  }
  return false;
}

}  // namespace stack::scheduler
