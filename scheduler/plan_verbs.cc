#include "scheduler/plan_verbs.h"

#include <fmt/core.h>

#include <algorithm>

#include "scheduler/conditions.h"
#include "scheduler/reconcile.h"

namespace stack::scheduler {

namespace {

class VerbPlanner {
 public:
  VerbPlanner(const compose::Project& project, const Observed& observed,
              const ServicesOptions& options)
      : project_(project), options_(options), inventory_(take_inventory(project, observed)) {}

  Result<Plan> plan(Verb verb) {
    graph_ = TRY(make_graph(project_.services));
    selected_ = TRY(select_services(project_, options_.services));
    switch (verb) {
      case Verb::kStart:
        TRY(start());
        break;
      case Verb::kStop:
        stop();
        break;
      case Verb::kRestart:
        restart();
        break;
      case Verb::kKill:
        kill();
        break;
      case Verb::kPause:
      case Verb::kUnpause:
        pause(verb == Verb::kPause);
        break;
      case Verb::kRemove:
        remove();
        break;
    }
    for (const std::string& name : selected_) {
      for (const ObservedContainer* c : inventory_.of(name))
        builder_.plan().targets.push_back(ref_of(*c));
    }
    if (verb == Verb::kRemove) keep_removed_targets();
    return builder_.take();
  }

 private:
  using Condition = AwaitCondition::Condition;

  Status start() {
    if (!options_.no_deps) selected_ = with_dependencies(graph_, selected_);
    for (const std::string& name : graph_.order) {
      if (!selected_.contains(name)) continue;
      const compose::Service& service = project_.services.at(name);
      const Containers containers = one_per_number(inventory_.of(name));
      if (containers.empty()) {
        const int scale = service.scale                                ? *service.scale
                          : service.deploy && service.deploy->replicas ? *service.deploy->replicas
                                                                       : 1;
        if (scale == 0 || service.provider) continue;
        const std::string text = fmt::format("service \"{}\" has no container to start", name);
        // As Docker Compose has it, what is there is enough.
        if (inventory_.replicas.empty())
          return Error::not_found(text).fix("Create it with `stack up " + name + "`.");
        if (!options_.services.empty()) builder_.plan().warnings.push_back(text);
        continue;
      }
      std::vector<int> after = conditions(name, false);
      for (const ObservedContainer* c : containers) {
        if (c->state == ContainerState::kRunning) continue;
        if (c->state == ContainerState::kPaused) continue;  // unpause is a command of its own
        after = {started_[name] = start_one(service, *c, after, "Starting")};
      }
    }
    if (options_.wait) {
      for (const std::string& name : graph_.order) {
        if (selected_.contains(name) && !inventory_.of(name).empty()) {
          await(name, Condition::kRunningOrHealthy, true, "--wait", true);
        }
      }
    }
    return ok_status();
  }

  int start_one(const compose::Service& service, const ObservedContainer& c, std::vector<int> after,
                const char* word) {
    int last = builder_.add(StartContainer{ref_of(c)}, fmt::format("it is {}", to_string(c.state)),
                            std::move(after), container_words(c.name, word, "Started"));
    for (const compose::Hook& hook : service.post_start) {
      last = builder_.add(RunHook{ref_of(c), RunHook::When::kPostStart, hook}, "it has started",
                          {last});
    }
    return last;
  }

  void stop() {
    std::map<std::string, int> stopped;
    for (const std::string& name : teardown_order(graph_, inventory_, selected_)) {
      std::vector<int> dependents;
      for (const std::string& user : graph_.dependents.at(name)) {
        if (stopped.contains(user)) dependents.push_back(stopped.at(user));
      }
      std::vector<int> steps;
      for (const ObservedContainer* c : inventory_.of(name)) {
        if (is_active(*c)) steps.push_back(stop_one(name, *c, dependents));
      }
      stopped[name] = steps.empty() ? builder_.join(dependents, "above " + name, true)
                                    : builder_.join(steps, name + " stopped", true);
    }
  }

  int stop_one(const std::string& name, const ObservedContainer& c, std::vector<int> settled) {
    const compose::Service& service = project_.services.at(name);
    if (!service.pre_stop.empty()) settled = {add_pre_stop_hooks(builder_, service, c, settled)};
    return builder_.stop(c, options_.timeout, "", {}, std::move(settled));
  }

  // Only edges with restart: true count here: what they order, and what they drag along.
  void restart() {
    if (!options_.no_deps) selected_ = with_restarted_dependents(graph_, selected_);
    for (const std::string& name : graph_.order) {
      if (!selected_.contains(name)) continue;
      const compose::Service& service = project_.services.at(name);
      const std::vector<int> before =
          options_.no_deps ? std::vector<int>{} : conditions(name, true);
      std::vector<int> steps;
      for (const ObservedContainer* c : one_per_number(inventory_.of(name))) {
        std::vector<int> after = before;
        if (is_active(*c)) {
          std::vector<int> over;
          if (!service.pre_stop.empty()) over = {add_pre_stop_hooks(builder_, service, *c, before)};
          after = {builder_.add(StopContainer{ref_of(*c), options_.timeout}, "", after,
                                container_words(c->name, "Restarting", ""), over)};
          steps.push_back(start_one(service, *c, after, ""));
        } else {
          steps.push_back(start_one(service, *c, after, "Restarting"));
        }
      }
      started_[name] = builder_.join(steps, name + " restarted");
    }
  }

  void kill() {
    for (const std::string& name : selected_) {
      for (const ObservedContainer* c : inventory_.of(name)) kill_one(*c);
    }
    if (options_.remove_orphans) {
      for (const ObservedContainer* c : inventory_.orphans) kill_one(*c);
    }
    if (builder_.plan().empty()) builder_.plan().warnings.push_back("no container to kill");
  }

  void kill_one(const ObservedContainer& c) {
    if (!is_active(c)) return;
    builder_.add(KillContainer{ref_of(c), options_.signal}, "", {},
                 container_words(c.name, "Killing", "Killed"));
  }

  void pause(bool on) {
    for (const std::string& name : selected_) {
      for (const ObservedContainer* c : inventory_.of(name)) {
        if (!is_active(*c)) continue;
        if (on) {
          builder_.add(PauseContainer{ref_of(*c)}, "", {}, container_words(c->name, "", "Paused"));
        } else if (c->state == ContainerState::kPaused) {
          builder_.add(UnpauseContainer{ref_of(*c)}, "", {},
                       container_words(c->name, "", "Unpaused"));
        }
      }
    }
  }

  void remove() {
    std::map<std::string, int> gone;
    for (const std::string& name : teardown_order(graph_, inventory_, selected_)) {
      std::vector<int> dependents;
      for (const std::string& user : graph_.dependents.at(name)) {
        if (gone.contains(user)) dependents.push_back(gone.at(user));
      }
      std::vector<int> steps;
      for (const ObservedContainer* c : inventory_.of(name)) {
        if (is_active(*c) && !options_.stop) continue;
        removed_.insert(c->id);
        steps.push_back(builder_.stop_and_remove(*c, options_.timeout, options_.volumes, "", {},
                                                 options_.stop ? dependents : std::vector<int>{}));
      }
      gone[name] = steps.empty() ? builder_.join(dependents, "above " + name, true)
                                 : builder_.join(steps, name + " removed", true);
    }
    if (builder_.plan().empty()) builder_.plan().warnings.push_back("No stopped containers");
  }

  void keep_removed_targets() {
    std::erase_if(builder_.plan().targets,
                  [&](const ContainerRef& ref) { return !removed_.contains(ref.id); });
  }

  std::vector<int> conditions(const std::string& name, bool only_restarting) {
    std::vector<int> after;
    for (const Edge& edge : graph_.dependencies.at(name)) {
      if (!selected_.contains(edge.service) || inventory_.of(edge.service).empty()) continue;
      if (only_restarting && !edge.restart) continue;
      if (edge.condition == Condition::kStarted && edge.required) {
        after.push_back(started_[edge.service]);
      } else {
        after.push_back(
            await(edge.service, edge.condition, edge.required, name + " depends on it"));
      }
    }
    return after;
  }

  int await(const std::string& service, Condition condition, bool required, std::string cause,
            bool final = false) {
    const auto [it, fresh] = awaits_.try_emplace({service, condition, required}, 0);
    if (!fresh) return it->second;
    const int before = started_[service];
    if (before == 0 && evaluate(condition, service, one_per_number(inventory_.of(service))).state ==
                           Verdict::State::kMet) {
      return 0;
    }
    it->second = required ? builder_.add(AwaitCondition{service, condition, required, final},
                                         std::move(cause), {before})
                          : builder_.add(AwaitCondition{service, condition, required, final},
                                         std::move(cause), {}, {}, {before});
    return it->second;
  }

  const compose::Project& project_;
  const ServicesOptions& options_;
  const Inventory inventory_;
  Graph graph_;
  std::set<std::string> selected_;
  std::set<std::string> removed_;
  std::map<std::string, int> started_;
  std::map<std::tuple<std::string, Condition, bool>, int> awaits_;
  PlanBuilder builder_;
};

}  // namespace

std::vector<std::string> teardown_order(const Graph& graph, const Inventory& inventory,
                                        const std::set<std::string>& selected) {
  std::vector<std::string> order;
  for (const auto& [name, containers] : inventory.replicas) {
    if (selected.contains(name) && !graph.dependencies.contains(name)) order.push_back(name);
  }
  for (auto it = graph.order.rbegin(); it != graph.order.rend(); ++it) {
    if (selected.contains(*it)) order.push_back(*it);
  }
  return order;
}

int add_pre_stop_hooks(PlanBuilder& builder, const compose::Service& service,
                       const ObservedContainer& container, std::vector<int> settled) {
  int last = 0;
  for (const compose::Hook& hook : service.pre_stop) {
    last = builder.add(RunHook{ref_of(container), RunHook::When::kPreStop, hook},
                       "it is about to be stopped", {}, {}, std::move(settled));
    settled = {last};
  }
  return last;
}

Result<Plan> plan_verb(Verb verb, const compose::Project& project, const Observed& observed,
                       const ServicesOptions& options) {
  return VerbPlanner(project, observed, options).plan(verb);
}

}  // namespace stack::scheduler
