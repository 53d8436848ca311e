#include <fmt/core.h>

#include <algorithm>

#include "compose/config_hash.h"
#include "scheduler/labels.h"
#include "scheduler/up_planner.h"

namespace stack::scheduler {

namespace {

bool uses_volume(const ObservedContainer& c, const std::string& volume) {
  return std::any_of(c.mounts.begin(), c.mounts.end(),
                     [&](const ObservedMount& mount) { return mount.volume == volume; });
}

}  // namespace

Status UpPlanner::plan_networks(const std::set<std::string>& services) {
  std::set<std::string> keys;
  for (const std::string& name : services) {
    for (const auto& [key, options] : project_.services.at(name).networks) keys.insert(key);
  }
  if (options_.all_resources) {
    for (const auto& [key, network] : project_.networks) keys.insert(key);
  }
  for (const std::string& key : keys) {
    const auto declared = project_.networks.find(key);
    if (declared == project_.networks.end()) continue;  // the loader has refused undeclared ones
    const compose::Network& network = declared->second;
    const auto existing = observed_.networks.find(network.name);
    if (existing == observed_.networks.end()) {
      if (network.external) {
        return Error::not_found(
                   fmt::format("network {} declared as external, but could not be found",
                               network.name))
            .fix("Create it, or remove `external: true`.");
      }
      const std::string hash = compose::config_hash(network);
      resources_ = {builder_.add(
          CreateNetwork{key, network.name, hash, network_labels(project_, key, hash)},
          "it does not exist", resources_, {"Network " + network.name, "Creating", "Created"})};
      continue;
    }
    if (network.external) continue;
    const std::string owner = label_of(existing->second.labels, kNetworkLabel);
    const std::string project = label_of(existing->second.labels, kProjectLabel);
    if (owner != key || (!project.empty() && project != project_.name)) {
      return Error::conflict(fmt::format("network {} was found but has incorrect label {} set to "
                                         "\"{}\" (expected: \"{}\")",
                                         network.name, owner != key ? kNetworkLabel : kProjectLabel,
                                         owner != key ? owner : project,
                                         owner != key ? key : project_.name))
          .fix(fmt::format("A network with name {} exists but was not created for this project: "
                           "set `external: true` to "
                           "use it, or give yours another name.",
                           network.name));
    }
    const std::string hash = compose::config_hash(network);
    if (!existing->second.config_hash.empty() && existing->second.config_hash != hash &&
        !options_.only_missing && !options_.no_recreate) {
      replace_network(key, existing->second, hash);
    }
  }
  return ok_status();
}

// The containers are kept: stopped, taken off, put on the new network under the same aliases, and
// started again.
void UpPlanner::replace_network(const std::string& key, const ObservedNetwork& network,
                                const std::string& hash) {
  const std::string cause = "the definition of network " + network.name + " changed";
  std::vector<int> freed;
  Containers users;
  for (const ObservedContainer& c : observed_.containers) {
    if (!c.networks.contains(network.name)) continue;
    users.push_back(&c);
    int last = 0;
    if (is_active(c) && stopped_ids_.insert(c.id).second) {
      last = builder_.add(StopContainer{ref_of(c), options_.timeout}, cause, resources_,
                          container_words(c.name, "Stopping", "Stopped"));
    }
    freed.push_back(builder_.add(DisconnectNetwork{ref_of(c), network.name}, cause,
                                 last != 0 ? std::vector<int>{last} : resources_));
  }
  freed.insert(freed.end(), resources_.begin(), resources_.end());
  const int removed = builder_.add(RemoveNetwork{network.name, network.id}, cause, freed,
                                   {"Network " + network.name, "", "Removed"});
  const int created =
      builder_.add(CreateNetwork{key, network.name, hash, network_labels(project_, key, hash)},
                   cause, {removed}, {"Network " + network.name, "Creating", "Created"});
  replaced_networks_.insert(network.name);
  std::vector<int> connected = {created};
  for (const ObservedContainer* c : users) {
    const auto service = project_.services.find(c->service);
    if (service == project_.services.end() || !service->second.networks.contains(key)) continue;
    connected.push_back(
        builder_.add(ConnectNetwork{ref_of(*c), key, network.name}, cause, {created}));
  }
  resources_ = {builder_.join(connected, "network " + network.name + " connected")};
}

Status UpPlanner::plan_volumes(const std::set<std::string>& services) {
  std::set<std::string> keys;
  for (const std::string& name : services) {
    for (const compose::MountConfig& mount : project_.services.at(name).volumes) {
      if (mount.type == "volume" && !mount.source.empty()) keys.insert(mount.source);
    }
  }
  if (options_.all_resources) {
    for (const auto& [key, volume] : project_.volumes) keys.insert(key);
  }
  for (const std::string& key : keys) {
    const auto declared = project_.volumes.find(key);
    if (declared == project_.volumes.end()) continue;
    const compose::Volume& volume = declared->second;
    const auto existing = observed_.volumes.find(volume.name);
    if (existing == observed_.volumes.end()) {
      if (volume.external) {
        return Error::not_found(fmt::format("external volume \"{}\" not found", volume.name))
            .fix("Create it, or remove `external: true`.");
      }
      const std::string hash = compose::config_hash(volume);
      resources_ = {builder_.add(
          CreateVolume{key, volume.name, hash, volume_labels(project_, key, hash)},
          "it does not exist", resources_, {"Volume " + volume.name, "Creating", "Created"})};
      continue;
    }
    if (volume.external || options_.only_missing) continue;
    const std::string owner = label_of(existing->second.labels, kProjectLabel);
    if (owner.empty()) {
      builder_.plan().warnings.push_back(
          fmt::format("volume \"{}\" already exists but was not created by Docker Compose. "
                      "Use `external: true` to use an existing volume",
                      volume.name));
    } else if (owner != project_.name) {
      builder_.plan().warnings.push_back(
          fmt::format("volume \"{}\" already exists but was created for project \"{}\" (expected "
                      "\"{}\"). Use `external: "
                      "true` to use an existing volume",
                      volume.name, owner, project_.name));
    }
    const std::string hash = compose::config_hash(volume);
    if (existing->second.config_hash.empty() || existing->second.config_hash == hash) continue;
    if (options_.recreate_all_volumes || options_.recreate_volumes.contains(volume.name)) {
      replace_volume(key, existing->second, hash);
    } else if (options_.ask) {
      builder_.plan().questions.push_back(
          {volume.name,
           fmt::format("Volume \"{}\" exists but doesn't match configuration in compose file. "
                       "Recreate (data will be lost)?",
                       volume.name)});
    } else {
      builder_.plan().warnings.push_back(
          fmt::format("Volume \"{}\" exists but doesn't match configuration in compose file. It is "
                      "kept as it is; `--yes` "
                      "recreates it (data will be lost)",
                      volume.name));
    }
  }
  return ok_status();
}

void UpPlanner::replace_volume(const std::string& key, const ObservedVolume& volume,
                               const std::string& hash) {
  const std::string cause = "the definition of volume " + volume.name + " changed";
  std::vector<int> freed = resources_;
  for (const ObservedContainer& c : observed_.containers) {
    if (!uses_volume(c, volume.name) || !removed_ids_.insert(c.id).second) continue;
    freed.push_back(builder_.stop_and_remove(c, options_.timeout, true, cause, resources_));
  }
  const int removed = builder_.add(RemoveVolume{volume.name}, cause, freed,
                                   {"Volume " + volume.name, "Removing", "Removed"});
  resources_ = {
      builder_.add(CreateVolume{key, volume.name, hash, volume_labels(project_, key, hash)}, cause,
                   {removed}, {"Volume " + volume.name, "Creating", "Created"})};
}

void UpPlanner::plan_orphans() {
  if (inventory_.orphans.empty() || options_.only_missing) return;
  if (options_.remove_orphans) {
    for (const ObservedContainer* c : inventory_.orphans) {
      create_steps_.push_back(builder_.stop_and_remove(*c, options_.timeout, false,
                                                       "its service is not declared", resources_));
    }
    return;
  }
  if (options_.ignore_orphans) return;
  std::string names;
  for (const ObservedContainer* c : inventory_.orphans)
    names += (names.empty() ? "" : " ") + c->name;
  builder_.plan().warnings.push_back(
      fmt::format("Found orphan containers ([{}]) for this project. If you removed or renamed this "
                  "service in your compose "
                  "file, you can run this command with the --remove-orphans flag to clean it up.",
                  names));
}

}  // namespace stack::scheduler
