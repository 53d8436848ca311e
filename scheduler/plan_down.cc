#include <fmt/core.h>

#include <algorithm>

#include "scheduler/graph.h"
#include "scheduler/inventory.h"
#include "scheduler/labels.h"
#include "scheduler/plan_builder.h"
#include "scheduler/plan_verbs.h"
#include "scheduler/reconcile.h"

namespace stack::scheduler {

namespace {

class DownPlanner {
 public:
  DownPlanner(const compose::Project& project, const Observed& observed, const DownOptions& options)
      : project_(project), observed_(observed), options_(options) {}

  Result<Plan> plan() {
    graph_ = TRY(make_graph(project_.services));
    inventory_ = take_inventory(project_, observed_);
    std::set<std::string> selected(options_.services.begin(), options_.services.end());
    if (selected.empty()) {
      for (const auto& [name, service] : project_.services) selected.insert(name);
      for (const auto& [name, service] : project_.disabled_services) selected.insert(name);
    } else {
      selected = TRY(select_services(project_, options_.services));
    }
    remove_services(selected);
    if (!options_.services.empty()) return builder_.take();

    if (options_.remove_orphans) {
      for (const ObservedContainer* c : inventory_.orphans) remove(*c, {});
      for (const ObservedContainer* c : inventory_.one_offs) remove(*c, {});
    }
    containers_gone_ = builder_.join(removals_, "containers removed", true);
    remove_networks();
    if (options_.volumes) remove_volumes();
    remove_images();
    if (builder_.plan().empty()) {
      builder_.plan().warnings.push_back(
          fmt::format("No resource found to remove for project \"{}\".", project_.name));
    }
    return builder_.take();
  }

 private:
  // A service goes when all that depend on it are gone, or could not be removed: teardown goes on.
  void remove_services(const std::set<std::string>& selected) {
    std::map<std::string, int> gone;
    for (const std::string& name : teardown_order(graph_, inventory_, selected)) {
      std::vector<int> dependents;
      if (const auto users = graph_.dependents.find(name); users != graph_.dependents.end()) {
        for (const std::string& user : users->second) {
          if (gone.contains(user)) dependents.push_back(gone.at(user));
        }
      }
      std::vector<int> steps;
      for (const ObservedContainer* c : inventory_.of(name))
        steps.push_back(remove(*c, dependents));
      if (steps.empty()) {
        // Nothing here, but what is below still waits for what is above.
        gone[name] = builder_.join(dependents, "above " + name, true);
      } else {
        gone[name] = builder_.join(steps, name + " removed", true);
      }
    }
  }

  int remove(const ObservedContainer& c, const std::vector<int>& settled) {
    const auto service = project_.services.find(c.service);
    std::vector<int> after;
    std::vector<int> over = settled;
    if (is_active(c) && service != project_.services.end() && !service->second.pre_stop.empty()) {
      over = {add_pre_stop_hooks(builder_, service->second, c, over)};
    }
    const int step =
        builder_.stop_and_remove(c, options_.timeout, options_.volumes, "", after, over);
    removed_.insert(c.id);
    removals_.push_back(step);
    return step;
  }

  bool in_use_by_others(const std::string& network) const {
    return std::any_of(observed_.containers.begin(), observed_.containers.end(),
                       [&](const ObservedContainer& c) {
                         return c.networks.contains(network) && !removed_.contains(c.id);
                       });
  }

  void remove_networks() {
    std::set<std::string> declared;
    for (const auto& [key, network] : project_.networks) declared.insert(network.name);
    for (const auto& [name, network] : observed_.networks) {
      if (!belongs(network.labels)) continue;
      // One that the file no longer has goes with the rest, unless an orphan still lives on it.
      if (!declared.contains(name) && in_use_by_others(name)) continue;
      if (is_external_network(name)) continue;
      builder_.add(RemoveNetwork{name, network.id}, "", {},
                   {"Network " + name, "Removing", "Removed"}, {containers_gone_});
    }
  }

  void remove_volumes() {
    for (const auto& [key, volume] : project_.volumes) {
      const bool exists = observed_.volumes.contains(volume.name);
      if (volume.external || !exists) continue;
      builder_.add(RemoveVolume{volume.name}, "", {},
                   {"Volume " + volume.name, "Removing", "Removed"}, {containers_gone_});
    }
  }

  void remove_images() {
    if (options_.rmi.empty()) return;
    std::set<std::string> references;
    for (const auto& [name, service] : project_.services) {
      if (options_.rmi == "all" || service.build)
        references.insert(image_reference(project_, service));
    }
    for (const std::string& reference : references) {
      builder_.add(RemoveImage{reference}, "", {}, {"Image " + reference, "Removing", "Removed"},
                   {containers_gone_});
    }
  }

  bool belongs(const Labels& labels) const {
    const auto label = labels.find(kProjectLabel);
    return label != labels.end() && label->second == project_.name;
  }
  bool is_external_network(const std::string& name) const {
    return std::any_of(project_.networks.begin(), project_.networks.end(), [&](const auto& entry) {
      return entry.second.external && entry.second.name == name;
    });
  }

  const compose::Project& project_;
  const Observed& observed_;
  const DownOptions& options_;
  Graph graph_;
  Inventory inventory_;
  std::set<std::string> removed_;
  std::vector<int> removals_;
  int containers_gone_ = 0;
  PlanBuilder builder_;
};

}  // namespace

Result<Plan> plan_down(const compose::Project& project, const Observed& observed,
                       const DownOptions& options) {
  return DownPlanner(project, observed, options).plan();
}

compose::Project project_from_labels(const std::string& name, const Observed& observed) {
  compose::Project project;
  project.name = name;
  for (const ObservedContainer& c : observed.containers) {
    if (c.service.empty()) continue;
    compose::Service& service = project.services[c.service];
    service.name = c.service;
    if (c.one_off) continue;
    service.image = c.image;
    if (service.depends_on.empty()) service.depends_on = parse_depends_on(c.depends_on);
    if (project.working_dir.empty()) {
      project.working_dir = c.working_dir;
      std::string files = label_of(c.labels, kConfigFilesLabel);
      if (!files.empty()) project.config_files = {std::move(files)};
    }
  }
  for (const auto& [network_name, network] : observed.networks) {
    const std::string key = label_of(network.labels, kNetworkLabel);
    if (!key.empty() && label_of(network.labels, kProjectLabel) == name)
      project.networks[key].name = network_name;
  }
  for (const auto& [volume_name, volume] : observed.volumes) {
    const std::string key = label_of(volume.labels, kVolumeLabel);
    if (!key.empty() && label_of(volume.labels, kProjectLabel) == name)
      project.volumes[key].name = volume_name;
  }
  return project;
}

}  // namespace stack::scheduler
