#include "scheduler/restart.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace stack::scheduler {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kFirstDelay = milliseconds(100);
constexpr Duration kLongestDelay = minutes(1);
constexpr Duration kLongRun = seconds(10);

RestartDecision restart_after_backoff(const RestartState& state, Duration ran, std::string reason) {
  const Duration last = ran >= kLongRun ? Duration{} : state.last_delay;
  const Duration delay = last <= Duration{} ? kFirstDelay : std::min(2 * last, kLongestDelay);
  return {true, delay, std::move(reason), {state.count + 1, delay}};
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
      return "always";
    case RestartPolicy::Kind::kUnlessStopped:
      return "unless-stopped";
    case RestartPolicy::Kind::kOnFailure:
      return policy.max_retries > 0 ? fmt::format("on-failure:{}", policy.max_retries)
                                    : "on-failure";
  }
  return "";
}

RestartDecision decide_exit(const RestartPolicy& policy, const RestartState& state,
                            const ContainerExit& exit) {
  using Kind = RestartPolicy::Kind;
  const std::string what = fmt::format("exited ({})", exit.exit_code);
  if (exit.stop_requested) return stay(state, "stopped by command");
  if (policy.kind == Kind::kNo) return stay(state, what + ", no restart policy");
  if (policy.kind == Kind::kOnFailure) {
    if (exit.exit_code == 0) return stay(state, what + ", restart policy on-failure");
    if (policy.max_retries > 0 && state.count >= policy.max_retries) {
      return stay(state, fmt::format("{}, restart policy {} gave up after {} restart{}", what,
                                     to_string(policy), state.count, state.count == 1 ? "" : "s"));
    }
  }
  return restart_after_backoff(state, exit.ran, what + ", restart policy " + to_string(policy));
}

RestartDecision decide_unhealthy(const RestartPolicy& policy, std::string_view on_unhealthy,
                                 const RestartState& state, Duration ran) {
  if (on_unhealthy == "none") return stay(state, "unhealthy, on_unhealthy is none");
  if (policy.kind == RestartPolicy::Kind::kNo) return stay(state, "unhealthy, no restart policy");
  if (policy.max_retries > 0 && state.count >= policy.max_retries) {
    return stay(state, fmt::format("unhealthy, restart policy {} gave up after {} restart{}",
                                   to_string(policy), state.count, state.count == 1 ? "" : "s"));
  }
  return restart_after_backoff(state, ran, "unhealthy, restart policy " + to_string(policy));
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
