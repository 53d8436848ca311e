#include "scheduler/inventory.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "scheduler/labels.h"

namespace stack::scheduler {

const Containers& Inventory::of(const std::string& service) const {
  static const Containers kNone;
  const auto it = replicas.find(service);
  return it == replicas.end() ? kNone : it->second;
}

Inventory take_inventory(const compose::Project& project, const Observed& observed) {
  Inventory inventory;
  for (const ObservedContainer& c : observed.containers) {
    const bool declared =
        project.services.contains(c.service) || project.disabled_services.contains(c.service);
    if (!declared) {
      inventory.orphans.push_back(&c);
    } else if (!c.one_off) {
      inventory.replicas[c.service].push_back(&c);
    } else if (is_active(c) || c.state == ContainerState::kCreated) {
      inventory.one_offs.push_back(&c);
    } else {
      inventory.orphans.push_back(&c);
    }
  }
  const auto by_name = [](const ObservedContainer* a, const ObservedContainer* b) {
    return a->name < b->name;
  };
  const auto by_number = [](const ObservedContainer* a, const ObservedContainer* b) {
    return std::tie(a->number, a->created_at, a->id) < std::tie(b->number, b->created_at, b->id);
  };
  for (auto& [service, containers] : inventory.replicas)
    std::sort(containers.begin(), containers.end(), by_number);
  std::sort(inventory.one_offs.begin(), inventory.one_offs.end(), by_name);
  std::sort(inventory.orphans.begin(), inventory.orphans.end(), by_name);
  return inventory;
}

Containers one_per_number(const Containers& replicas) {
  const auto rank = [](const ObservedContainer& c) {
    // "<12 hex>_<name of what it replaces>"
    const auto replaced = c.labels.find(kReplaceLabel);
    const bool temporary =
        replaced != c.labels.end() && c.name != replaced->second && c.name.find('_') == 12;
    return std::tuple(is_active(c), !c.standby, !temporary, c.created_at);
  };
  std::map<int, const ObservedContainer*> chosen;
  for (const ObservedContainer* c : replicas) {
    const auto [it, fresh] = chosen.emplace(c->number, c);
    if (!fresh && rank(*c) > rank(*it->second)) it->second = c;
  }
  Containers result;
  for (const auto& [number, c] : chosen) result.push_back(c);
  return result;
}

Status check_directory(const compose::Project& project, const Observed& observed) {
  if (!observed.other_directory) return ok_status();
  return Error::conflict(fmt::format("project \"{}\" is that of {}, not of {}", project.name,
                                     *observed.other_directory, project.working_dir))
      .fix(fmt::format("Give this one another name (`name:` in the file, or -p NAME), or take the "
                       "other one down: "
                       "`stack --project-directory {} down`.",
                       *observed.other_directory));
}

ContainerRef ref_of(const ObservedContainer& c) { return {c.id, c.name, c.service, c.number, 0}; }

bool is_active(const ObservedContainer& c) {
  return c.state == ContainerState::kRunning || c.state == ContainerState::kPaused ||
         c.state == ContainerState::kRestarting;
}

Result<std::set<std::string>> select_services(const compose::Project& project,
                                              const std::vector<std::string>& names) {
  std::set<std::string> selected(names.begin(), names.end());
  for (const std::string& name : selected) {
    if (!project.services.contains(name)) return Error::not_found("no such service: " + name);
  }
  if (selected.empty()) {
    for (const auto& [name, service] : project.services) selected.insert(name);
  }
  return selected;
}

}  // namespace stack::scheduler
