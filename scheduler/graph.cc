#include "scheduler/graph.h"

#include <fmt/core.h>

#include <algorithm>

namespace stack::scheduler {

namespace {

using Condition = AwaitCondition::Condition;

Condition parse_condition(std::string_view text) {
  if (text == "service_healthy") return Condition::kHealthy;
  if (text == "service_completed_successfully") return Condition::kCompleted;
  return Condition::kStarted;
}

std::map<std::string, Edge> edges_of(const compose::Service& service) {
  std::map<std::string, Edge> edges;
  for (const auto& [name, dependency] : service.depends_on) {
    edges.emplace(name, Edge{name, parse_condition(dependency.condition), dependency.restart,
                             dependency.required});
  }
  const auto imply = [&](std::string_view name, bool restart) {
    edges.emplace(std::string(name), Edge{std::string(name), Condition::kStarted, restart, true});
  };
  for (const std::string& mode : {service.network_mode, service.ipc, service.pid}) {
    if (const auto name = service_reference(mode); !name.empty()) imply(name, true);
  }
  for (const std::string& link : service.links)
    imply(std::string_view(link).substr(0, link.find(':')), true);
  for (const std::string& from : service.volumes_from) {
    if (!from.starts_with("container:"))
      imply(std::string_view(from).substr(0, from.find(':')), false);
  }
  return edges;
}

// Depth-first search with the path at hand, so that a cycle can be told.
class Sorter {
 public:
  Sorter(Graph& graph) : graph_(graph) {}

  Status visit(const std::string& name) {
    const auto [it, fresh] = marks_.emplace(name, Mark::kOpen);
    if (!fresh) return it->second == Mark::kDone ? ok_status() : cycle(name);
    path_.push_back(name);
    for (const Edge& edge : graph_.dependencies.at(name)) TRY(visit(edge.service));
    path_.pop_back();
    it->second = Mark::kDone;
    graph_.order.push_back(name);
    return ok_status();
  }

 private:
  enum class Mark { kOpen, kDone };

  Error cycle(const std::string& name) const {
    std::string text = "dependency cycle detected: ";
    for (auto it = std::find(path_.begin(), path_.end(), name); it != path_.end(); ++it)
      text += *it + " -> ";
    return Error::invalid(text + name)
        .fix(
            "Remove one of these dependencies (depends_on, links, volumes_from, "
            "network_mode, ipc or pid).");
  }

  Graph& graph_;
  std::map<std::string, Mark> marks_;
  std::vector<std::string> path_;
};

}  // namespace

std::string_view service_reference(std::string_view mode) {
  constexpr std::string_view kPrefix = "service:";
  return mode.starts_with(kPrefix) ? mode.substr(kPrefix.size()) : std::string_view();
}

std::vector<std::string> joined_services(const compose::Service& service) {
  std::set<std::string> names;
  for (const std::string& mode : {service.network_mode, service.ipc, service.pid}) {
    if (const auto name = service_reference(mode); !name.empty()) names.emplace(name);
  }
  for (const std::string& from : service.volumes_from) {
    if (!from.starts_with("container:")) names.insert(from.substr(0, from.find(':')));
  }
  return {names.begin(), names.end()};
}

Result<Graph> make_graph(const std::map<std::string, compose::Service>& services) {
  Graph graph;
  for (const auto& [name, service] : services) {
    auto& dependencies = graph.dependencies[name];
    graph.dependents[name];
    for (auto& [dependency, edge] : edges_of(service)) {
      if (services.contains(dependency)) {
        dependencies.push_back(std::move(edge));
      } else if (edge.required) {
        return Error::invalid(fmt::format(
            "service \"{}\" depends on undefined service \"{}\": invalid compose project", name,
            dependency));
      }
    }
  }
  for (const auto& [name, dependencies] : graph.dependencies) {
    for (const Edge& edge : dependencies) graph.dependents[edge.service].push_back(name);
  }
  Sorter sorter(graph);
  graph.order.reserve(services.size());
  for (const auto& [name, service] : services) TRY(sorter.visit(name));
  return graph;
}

std::set<std::string> with_dependencies(const Graph& graph, const std::set<std::string>& names) {
  std::set<std::string> closure;
  std::vector<std::string> open(names.begin(), names.end());
  while (!open.empty()) {
    std::string name = std::move(open.back());
    open.pop_back();
    if (!closure.insert(name).second) continue;
    for (const Edge& edge : graph.dependencies.at(name)) open.push_back(edge.service);
  }
  return closure;
}

std::set<std::string> with_restarted_dependents(const Graph& graph,
                                                const std::set<std::string>& names) {
  std::set<std::string> closure;
  std::vector<std::string> open(names.begin(), names.end());
  while (!open.empty()) {
    std::string name = std::move(open.back());
    open.pop_back();
    if (!closure.insert(name).second) continue;
    for (const std::string& dependent : graph.dependents.at(name)) {
      for (const Edge& edge : graph.dependencies.at(dependent)) {
        if (edge.service == name && edge.restart) open.push_back(dependent);
      }
    }
  }
  return closure;
}

}  // namespace stack::scheduler
