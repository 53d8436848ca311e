// Dependents with `restart: true` follow a dependency that was restarted by its restart policy or
// for its health: once it meets their condition again, they are restarted as by `restart`.
#include <algorithm>

#include "scheduler/conditions.h"
#include "scheduler/graph.h"
#include "scheduler/inventory.h"
#include "scheduler/supervisor_entry.h"

namespace stack::scheduler {

namespace {

// A restart by command starts its count from 0: whoever gave the command has seen to the
// dependents.
std::set<std::string> restarted_services(std::map<std::string, WallTime>& runs,
                                         const Observed& observed) {
  std::set<std::string> restarted;
  std::map<std::string, WallTime> now;
  for (const ObservedContainer& c : observed.containers) {
    if (c.one_off) continue;
    const auto known = runs.find(c.id);
    now[c.id] = c.state == ContainerState::kRunning ? c.started_at
                : known == runs.end()               ? WallTime{}
                                                    : known->second;
    if (c.state == ContainerState::kRunning && known != runs.end() && known->second != WallTime{} &&
        known->second != c.started_at && c.restart_count > 0)
      restarted.insert(c.service);
  }
  runs = std::move(now);
  return restarted;
}

}  // namespace

std::vector<std::string> Supervisor::followers(Entry& e, const Observed& observed) {
  const auto restarted = restarted_services(e.runs, observed);
  if (restarted.empty() && e.following.empty()) return {};
  const auto graph = make_graph(e.kept.project->services);
  if (!graph.ok()) return {};
  for (const std::string& service : restarted) {
    const auto dependents = graph->dependents.find(service);
    if (dependents == graph->dependents.end()) continue;
    for (const std::string& dependent : dependents->second) {
      const auto& edges = graph->dependencies.at(dependent);
      const bool asked = std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) {
        return edge.service == service && edge.restart;
      });
      if (asked && e.kept.replicas.contains(dependent)) e.following.insert(dependent);
    }
  }
  std::map<std::string, Containers> replicas;
  for (const ObservedContainer& c : observed.containers) {
    if (!c.one_off) replicas[c.service].push_back(&c);
  }
  std::vector<std::string> ready;
  for (const std::string& dependent : e.following) {
    const auto& edges = graph->dependencies.at(dependent);
    const bool met = std::all_of(edges.begin(), edges.end(), [&](const Edge& edge) {
      if (!edge.restart) return true;
      const Containers containers = one_per_number(replicas[edge.service]);
      const auto condition = edge.condition == AwaitCondition::Condition::kStarted
                                 ? AwaitCondition::Condition::kRunningOrHealthy
                                 : edge.condition;
      // An unhealthy one is not waited for any longer than `restart` would, but it is waited for.
      return evaluate(condition, edge.service, containers).state == Verdict::State::kMet;
    });
    if (met) ready.push_back(dependent);
  }
  for (const std::string& dependent : ready) e.following.erase(dependent);
  return ready;
}

void Supervisor::follow(const std::string& name, std::vector<std::string> services) {
  Entry& e = *entries_.at(name);
  ServicesOptions options;
  options.services = services;
  auto start = [&](RunContext context, RunDone over) {
    return start_verb(std::move(context), Verb::kRestart, name, e.kept.project, options, {},
                      std::move(over));
  };
  launch(name, Turn::kMend, start, nullptr,
         [this, alive = std::weak_ptr(alive_), name, services](Result<RunResult> result) {
           if (alive.expired() || !callbacks_.report) return;
           for (const std::string& service : services) {
             callbacks_.report(
                 name, result.ok() ? service + " was restarted after what it depends on"
                                   : "restarting " + service + ": " + result.error().to_string());
           }
         });
}

}  // namespace stack::scheduler
