// Observed containers sorted by what they are to a project. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "compose/project.h"
#include "scheduler/observed.h"
#include "scheduler/plan.h"

namespace stack::scheduler {

using Containers = std::vector<const ObservedContainer*>;

struct Inventory {
  std::map<std::string, Containers>
      replicas;         // by service, of declared and disabled services; by number, then age
  Containers one_offs;  // of declared services
  Containers orphans;   // services that are not declared, with their one-offs, and one-offs that
                        // have exited; by name

  const Containers& of(const std::string& service) const;
};

Inventory take_inventory(const compose::Project& project, const Observed& observed);

// One container a number. A replacement that was cut short leaves two, and only one of them may
// run: the one that does, else the one that has its proper name. Sorted by number.
Containers one_per_number(const Containers& replicas);

// An error when another directory's project has this name: its containers are not ours to touch.
Status check_directory(const compose::Project& project, const Observed& observed);

ContainerRef ref_of(const ObservedContainer& container);
// Something runs in it, or will again by itself: there is something to stop.
bool is_active(const ObservedContainer& container);

// The services that a command names, or all. Error: "no such service: x".
Result<std::set<std::string>> select_services(const compose::Project& project,
                                              const std::vector<std::string>& names);

}  // namespace stack::scheduler
