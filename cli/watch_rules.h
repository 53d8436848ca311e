// develop.watch as rules over paths: what a change of a file asks for. Pure but for the reading of
// the .dockerignore files.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "compose/project.h"
#include "images/dockerignore.h"

namespace stack::cli {

struct WatchRule {
  std::string service;
  compose::WatchTrigger trigger;
  images::DockerIgnore ignore;   // of the trigger, relative to its path
  images::DockerIgnore include;  // what alone counts; empty: everything
  images::DockerIgnore context;  // .dockerignore of the build context
  std::string context_path;      // empty: the service is not built

  // `path` is absolute. Neither ignored nor outside of the trigger's path.
  bool matches(const std::string& path) const;
  // Nothing below the directory can match: it need not be watched.
  bool can_skip(const std::string& directory) const;
  // Where the file is in the container.
  std::string target_of(const std::string& path) const;
};

// Of the services named (all when empty), in the order of the file. Warnings are about triggers
// that are not watched.
struct WatchRules {
  std::vector<WatchRule> rules;
  std::vector<std::string> warnings;
};
Result<WatchRules> watch_rules(const compose::Project& project,
                               const std::vector<std::string>& services);

// What a burst of changes asks for, one entry a service.
struct WatchWork {
  std::map<std::string, std::string> files;  // path on the host -> path in the container
  std::vector<const compose::Hook*> execs;
  bool restart = false;
  bool rebuild = false;
};
std::map<std::string, WatchWork> work_for(const std::vector<WatchRule>& rules,
                                          const std::set<std::string>& changed);

}  // namespace stack::cli
