// Restart policies and back-off of one container, as Docker has them, and the restart of unhealthy
// containers, which Docker lacks. Pure.
//
// Delay 100 ms, doubling with each restart in a row, at most 1 minute; a run of 10 s or more begins
// anew at 100 ms. A stop, kill or remove by command switches the policy off until the next start.
//
// deploy.restart_policy has more than Docker's policies can say, and Docker Compose drops it:
// `delay` between the restarts in place of 100 ms and doubling, `max_attempts` for every condition,
// and `window`: a run of that length was a success, after which attempts count from 0 again.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "compose/project.h"

namespace stack::scheduler {

struct RestartPolicy {
  enum class Kind { kNo, kOnFailure, kAlways, kUnlessStopped };
  Kind kind = Kind::kNo;
  int max_retries = 0;  // 0 is without limit; Docker's own policies have it with on-failure only
  Duration delay{};     // 0: exponential back-off
  Duration window{};    // 0: attempts are never forgotten

  bool operator==(const RestartPolicy&) const = default;
};
// "", "no", "always", "unless-stopped", "on-failure", "on-failure:3"
Result<RestartPolicy> parse_restart_policy(std::string_view text);
std::string to_string(const RestartPolicy& policy);

// What the service asks for: deploy.restart_policy, else restart.
Result<RestartPolicy> restart_policy_of(const compose::Service& service);
// The part of a policy that Docker's words do not hold, for a container's label; empty: nothing.
// Both ways, the second on top of Docker's part.
inline constexpr const char* kRestartLabel = "io.stack.restart";
std::string restart_label(const RestartPolicy& policy);
void apply_restart_label(std::string_view text, RestartPolicy* policy);

// What is remembered of one container between its runs. A start by command resets it.
struct RestartState {
  int count = 0;          // restarts since the last start by command: RestartCount
  Duration last_delay{};  // 0: the next delay is the first

  bool operator==(const RestartState&) const = default;
};

struct RestartDecision {
  bool restart = false;
  Duration delay{};
  std::string reason;  // "exited (1), restart policy always" or why not: "on-failure:3 gave up
                       // after 3 restarts"
  RestartState next;   // to remember
};

struct ContainerExit {
  int exit_code = 0;
  Duration ran{};               // from start to exit
  bool stop_requested = false;  // stop, kill, rm by command
};

RestartDecision decide_exit(const RestartPolicy& policy, const RestartState& state,
                            const ContainerExit& exit);
// A container turned unhealthy after running for `ran`. `on_unhealthy` is x-stack's, "" means
// "restart": services with a policy other than "no" are restarted with the same back-off; the
// engine stops the container, waits `delay`, starts it.
RestartDecision decide_unhealthy(const RestartPolicy& policy, std::string_view on_unhealthy,
                                 const RestartState& state, Duration ran);
// The engine, or the machine, comes up and finds the container not running.
bool restart_at_boot(const RestartPolicy& policy, int exit_code, bool stop_requested,
                     bool was_running);

}  // namespace stack::scheduler
