// The dependency graph of a project's services: what each needs before it starts. Besides
// depends_on these are links, volumes_from and shared namespaces (network_mode, ipc, pid:
// service:...). Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "compose/project.h"
#include "scheduler/plan.h"

namespace stack::scheduler {

struct Edge {
  std::string service;  // the dependency
  AwaitCondition::Condition condition = AwaitCondition::Condition::kStarted;
  bool restart = false;  // restart the dependent when the dependency is replaced or restarted
  bool required = true;

  bool operator==(const Edge&) const = default;
};

struct Graph {
  std::vector<std::string> order;                         // dependencies first, else by name
  std::map<std::string, std::vector<Edge>> dependencies;  // by name; an entry for every service
  std::map<std::string, std::vector<std::string>> dependents;  // an entry for every service
};

// Optional dependencies on services that are not in the project are left out; required ones are an
// error, and so are cycles: "dependency cycle detected: a -> b -> a".
Result<Graph> make_graph(const std::map<std::string, compose::Service>& services);

// `names` and everything they depend on.
std::set<std::string> with_dependencies(const Graph& graph, const std::set<std::string>& names);
// `names` and everything that depends on them by edges with restart: true.
std::set<std::string> with_restarted_dependents(const Graph& graph,
                                                const std::set<std::string>& names);

// "db" of "service:db"; empty for anything else.
std::string_view service_reference(std::string_view mode);
// The services whose containers this one joins: namespaces and volumes_from. By name, without
// repetition.
std::vector<std::string> joined_services(const compose::Service& service);

}  // namespace stack::scheduler
