#include "scheduler/why.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "compose/units.h"
#include "scheduler/conditions.h"
#include "scheduler/graph.h"
#include "scheduler/inventory.h"

namespace stack::scheduler {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string ago(WallTime now, WallTime then) {
  if (then == WallTime{} || then > now) return "just now";
  return compose::duration_text(duration_cast<seconds>(now - then)) + " ago";
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

class Explanation {
 public:
  explicit Explanation(const WhyInput& input)
      : input_(input), inventory_(take_inventory(input.project, input.observed)) {}

  std::vector<Because> take() {
    service(input_.service, 0);
    last_run();
    return std::move(lines_);
  }

 private:
  void say(int depth, std::string text) { lines_.push_back({depth, std::move(text)}); }

  void service(const std::string& name, int depth) {
    if (!seen_.insert(name).second) return say(depth, name + ": as said above");
    const Containers containers = one_per_number(inventory_.of(name));
    if (containers.empty()) {
      say(depth, name + " has no container");
      const auto declared = input_.project.services.find(name);
      if (declared == input_.project.services.end()) {
        say(depth + 1, input_.project.disabled_services.contains(name)
                           ? "its profile is not active"
                           : "no service of that name is declared in what was last brought up");
      } else if (declared->second.scale.value_or(1) == 0) {
        say(depth + 1, "it is scaled to 0");
      } else {
        say(depth + 1, "no `up` has created one since it was declared or removed");
      }
      return;
    }
    for (const ObservedContainer* c : containers) container(name, *c, depth);
  }

  void container(const std::string& name, const ObservedContainer& c, int depth) {
    switch (c.state) {
      case ContainerState::kCreated:
        say(depth, fmt::format("{} is created and was not started", c.name));
        if (!c.error.empty()) say(depth + 1, "its start failed: " + c.error);
        if (!waiting(name, depth + 1) && c.error.empty())
          say(depth + 1,
              "the run that created it ended before it came to it (see below), or was `create`");
        return;
      case ContainerState::kRestarting:
        say(depth, fmt::format("{} is restarting, {} so far", c.name, times(c.restart_count)));
        ended(c, depth + 1);
        return;
      case ContainerState::kExited:
      case ContainerState::kDead:
        say(depth, fmt::format("{} has ended with exit code {}, {}", c.name, c.exit_code,
                               ago(input_.observed.now, c.finished_at)));
        ended(c, depth + 1);
        if (depth == 0) waiting(name, depth + 1);
        return;
      case ContainerState::kRemoving:
        return say(depth, c.name + " is being removed");
      case ContainerState::kPaused:
        say(depth, c.name + " is paused: its processes are frozen and answer nobody");
        return say(depth + 1, fmt::format("`stack unpause {}` lets them go on", name));
      case ContainerState::kRunning:
        return running(name, c, depth);
    }
  }

  void ended(const ObservedContainer& c, int depth) {
    if (c.oom_killed) say(depth, "the kernel killed it: it used more memory than its limit");
    if (!c.error.empty()) say(depth, "its start failed: " + c.error);
    if (!c.restart_reason.empty()) say(depth, c.restart_reason);
    if (c.stop_requested && !input_.stopped_by.empty())
      say(depth, "stopped by " + input_.stopped_by);
    if (c.exit_code != 0 && c.error.empty() && !c.oom_killed && !c.stop_requested)
      say(depth, fmt::format("`stack logs {}` shows its last words", c.service));
  }

  void running(const std::string& name, const ObservedContainer& c, int depth) {
    std::string text =
        fmt::format("{} runs, started {}", c.name, ago(input_.observed.now, c.started_at));
    if (c.has_healthcheck) text += fmt::format(", {}", to_string(c.health));
    if (c.restart_count > 0) text += fmt::format(", restarted {}", times(c.restart_count));
    say(depth, text);
    if (c.restart_count > 0 && !c.restart_reason.empty())
      say(depth + 1, "last: " + c.restart_reason);
    if (c.health == HealthStatus::kUnhealthy || c.failing_streak > 0) {
      say(depth + 1,
          fmt::format("its health check has failed {} in a row", times(c.failing_streak)));
      if (!c.probe_output.empty()) say(depth + 2, "it said: " + one_line(c.probe_output));
    }
    if (c.standby)
      say(depth + 1, "it is on standby: another container has the names and ports of the service");
    if (depth == 0) reachable(name, c, depth + 1);
  }

  // Whether what is declared as published can be answered.
  void reachable(const std::string& name, const ObservedContainer& c, int depth) {
    const auto declared = input_.project.services.find(name);
    if (declared == input_.project.services.end()) return;
    if (declared->second.ports.empty()) {
      say(depth, "it publishes no port: only containers on its networks reach it");
    } else if (c.published.empty() && !c.standby) {
      say(depth, "none of its ports is published: it has no network that leads outside");
    }
    for (const std::string& port : c.published) say(depth, "published as " + port);
    const auto listening = input_.listening.find(c.id);
    if (listening == input_.listening.end()) return;
    for (const auto& port : declared->second.ports) {
      if (port.protocol == "tcp") listens(std::to_string(port.target), listening->second, depth);
    }
  }

  void listens(const std::string& port, const std::vector<std::string>& addresses, int depth) {
    std::string others;
    bool loopback = false;
    for (const std::string& address : addresses) {
      const bool local = address.starts_with("127.") || address.starts_with("::1:");
      if (port_of(address) == port) {
        if (!local) return;
        loopback = true;
      }
      others += (others.empty() ? "" : ", ") + address;
    }
    if (loopback) {
      say(depth,
          fmt::format(
              "its program listens on port {} of 127.0.0.1 only: nobody outside the container "
              "reaches that; let it listen on 0.0.0.0",
              port));
    } else {
      say(depth, fmt::format("nothing in it listens on TCP port {}{}", port,
                             others.empty() ? "" : "; there is " + others));
    }
  }

  // The conditions that hold a service back; whether there are any.
  bool waiting(const std::string& name, int depth) {
    const auto declared = input_.project.services.find(name);
    if (declared == input_.project.services.end()) return false;
    const auto graph = make_graph(input_.project.services);
    if (!graph.ok()) return false;
    bool any = false;
    for (const Edge& edge : graph->dependencies.at(name)) {
      const Containers replicas = one_per_number(inventory_.of(edge.service));
      Verdict verdict = evaluate(edge.condition, edge.service, replicas);
      if (edge.condition == AwaitCondition::Condition::kStarted) {
        const bool started =
            !replicas.empty() && std::all_of(replicas.begin(), replicas.end(), [](const auto* c) {
              return c->state != ContainerState::kCreated;
            });
        verdict.state = started ? Verdict::State::kMet : Verdict::State::kPending;
      }
      if (verdict.state == Verdict::State::kMet) continue;
      any = true;
      say(depth, fmt::format("it needs {} ({}){}", edge.service, to_string(edge.condition),
                             verdict.reason.empty() ? "" : ": " + verdict.reason));
      service(edge.service, depth + 1);
    }
    return any;
  }

  void last_run() {
    if (!input_.last_run) return;
    const LastRun& run = *input_.last_run;
    std::string text =
        fmt::format("the last run was `{}` by {}, {}", run.verb, run.who.empty() ? "api" : run.who,
                    ago(input_.observed.now, run.time));
    if (!run.error.empty()) text += ", and failed: " + run.error;
    say(0, text);
    Duration whole{};
    for (const TimedStep& step : run.steps) whole = std::max(whole, step.ended);
    const auto path = critical_path(run.steps);
    if (path.empty()) return;
    say(1, fmt::format("it took {}; what decided that:", shown(whole)));
    for (const TimedStep& step : path) {
      const Duration took = step.ended - step.began;
      if (took < milliseconds(1) && path.size() > 6) continue;
      say(2, fmt::format("{:>8}  {}{}", shown(took), step.what,
                         step.cause.empty() ? "" : " because " + step.cause));
    }
  }

  static std::string shown(Duration d) {
    return compose::duration_text(duration_cast<milliseconds>(d));
  }
  static std::string times(int count) {
    return fmt::format("{} time{}", count, count == 1 ? "" : "s");
  }

  const WhyInput& input_;
  Inventory inventory_;
  std::set<std::string> seen_;
  std::vector<Because> lines_;
};

}  // namespace

std::vector<Because> explain(const WhyInput& input) { return Explanation(input).take(); }

}  // namespace stack::scheduler
