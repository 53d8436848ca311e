// What a start needs to know, gathered on the loop: addresses, ports, namespaces to join, links.

#include <fmt/core.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_endpoints.h"
#include "engine/container_links.h"
#include "engine/container_start.h"
#include "engine/containers_impl.h"
#include "engine/networks.h"
#include "engine/volume_mount.h"
#include "engine/volumes.h"
#include "images/store.h"
#include "netd/endpoint.h"

namespace stack::engine {

namespace {

// The container that a mode "container:NAME" joins; empty for other modes.
std::string joined(const std::string& mode) {
  constexpr std::string_view kContainerMode = "container:";
  return mode.rfind(kContainerMode, 0) == 0 ? mode.substr(kContainerMode.size()) : std::string();
}

// The host's resolvers as a container would see them: a loopback address means the container's own
// loopback there.
bool host_resolver_is_loopback() {
  const auto text = read_file("/etc/resolv.conf");
  return text.ok() && (text->find("nameserver 127.") != std::string::npos ||
                       text->find("nameserver ::1") != std::string::npos);
}

}  // namespace

void Containers::Impl::unmount_unused_volumes(const Container& ended) {
  for (const auto& mount : ended.mounts) {
    if (mount.config.type != "volume") continue;
    const auto volume = services.volumes->find(mount.volume);
    if (!volume.ok() || (*volume)->options.empty() || !bound_directory((*volume)->options).empty())
      continue;
    // One whose start is under way counts: it has mounted the volume, or is about to.
    const bool used = std::any_of(entries.begin(), entries.end(), [&](const auto& item) {
      const Entry& entry = *item.second;
      return entry.c.id != ended.id && (is_live(entry.c.status) || entry.busy) &&
             std::any_of(entry.c.mounts.begin(), entry.c.mounts.end(),
                         [&](const MountPoint& other) { return other.volume == mount.volume; });
    });
    if (used) continue;
    services.pool.run([place = (*volume)->mountpoint] { return unmount_volume(place); },
                      [](Status done) {
                        if (!done.ok()) log_warning("{}", done.error().to_string());
                      });
  }
}

Status Containers::Impl::check_links(const Container& c) {
  if (!on_default_network(c)) return ok_status();
  for (const auto& text : c.config.links) {
    const Link link = Link::parse(text);
    const auto other = find(link.target);
    if (!other.ok() || is_up((*other)->c.status)) continue;
    return Error::make(ErrorKind::kInternal, "Cannot link to a non running container: /" +
                                                 (*other)->c.name + " AS /" + c.name + "/" +
                                                 link.alias);
  }
  return ok_status();
}

bool Containers::Impl::needs_resolver(const Container& c) const {
  if (c.endpoints.empty()) return false;
  const auto has_names = [&](const Endpoint& endpoint) {
    const auto network = services.networks->find(endpoint.network_id);
    return !endpoint.config.links.empty() || (network.ok() && !(*network)->predefined);
  };
  return !c.config.links.empty() || host_resolver_is_loopback() ||
         std::any_of(c.endpoints.begin(), c.endpoints.end(), has_names);
}

Status Containers::Impl::prepare_endpoints(Container& c, StartJob* job) {
  int index = 0;
  for (auto& endpoint : c.endpoints) {
    // A network that was made, or made again, since the container was is found by its name.
    auto network = services.networks->find(endpoint.network_id);
    if (!network.ok()) network = services.networks->find(endpoint.network_name);
    if (!network.ok()) return std::move(network).error();
    TRY(check_connectable(c, **network));
    endpoint.network_id = (*network)->id;
    TRY(services.networks->assign(**network, &endpoint));
    // A name of its own for every start: the pair of an earlier life may not be gone yet.
    endpoint.host_veth = netd::veth_name(random_hex(64), index++);
    job->networks.push_back(Networks::spec_of(**network));
    if ((*network)->predefined) job->bridge_gate = services.networks->bridge_gate();
  }
  return ok_status();
}

std::filesystem::path Containers::Impl::shm_of(const Container& c) {
  constexpr int kMostDonors = 16;  // names may lead in a circle
  const Container* owner = &c;
  for (int i = 0; i < kMostDonors; ++i) {
    if (owner->config.ipc_mode == "shareable") return directory(owner->id) / "shm";
    const std::string name = joined(owner->config.ipc_mode);
    if (name.empty()) return {};
    const auto donor = find(name);
    if (!donor.ok()) return {};
    owner = &(*donor)->c;
  }
  return {};
}

Status Containers::Impl::prepare(Entry* entry, StartJob* job) {
  Container& c = entry->c;
  const auto join = [&](const std::string& mode, const char* kind, int* pid) -> Status {
    if (joined(mode).empty()) return ok_status();
    const Entry* other = TRY(find(joined(mode)));
    *pid = other->c.pid;
    if (other->c.pid > 0) return ok_status();
    return Error::conflict(
        fmt::format("failed to join {} namespace: container {} is not running", kind, other->c.id));
  };
  const auto join_network = [&]() -> Status {
    const std::string name = joined(c.config.network_mode);
    if (name.empty()) return ok_status();
    const Entry* other = TRY(find(name));
    if (other->c.pid == 0)
      return Error::conflict(
          fmt::format("cannot join network namespace of a non running container: container {} is "
                      "{}",
                      other->c.name, to_string(other->c.status)));
    job->network_pid = other->c.pid;
    job->files_of = directory(other->c.id);
    return ok_status();
  };
  job->lowers = TRY(services.store.layer_directories(c.image_id));
  TRY(join_network());
  TRY(join(c.config.pid_mode, "PID", &job->pid_pid));
  TRY(join(c.config.ipc_mode, "IPC", &job->ipc_pid));
  TRY(join(c.config.uts_mode, "UTS", &job->uts_pid));
  job->shm = shm_of(c);
  if (job->ipc_pid > 0 && job->shm.empty()) {
    const Entry* donor = TRY(find(joined(c.config.ipc_mode)));
    return Error::conflict("failed to join IPC namespace: container " + donor->c.id +
                           ": non-shareable IPC (hint: use IpcMode:shareable for the donor "
                           "container)");
  }
  TRY_WHILE(prepare_endpoints(c, job), "failed to set up container networking");
  job->resolver = needs_resolver(c);
  TRY(check_links(c));
  for (const auto& mount : c.mounts) {
    if (mount.config.type != "volume") continue;
    const Volume* volume = TRY(services.volumes->find(mount.volume));
    if (!volume->options.empty()) job->volumes.push_back({volume->options, volume->mountpoint});
  }
  c.ports.clear();
  if (!c.standby) TRY(assign_ports(entry));
  if (const auto bridge = services.networks->find("bridge");
      bridge.ok() && !(*bridge)->config.ipam.empty()) {
    job->host_gateway = (*bridge)->config.ipam.front().gateway;
  }
  if (const Endpoint* way = gateway_endpoint(c, false)) job->host_gateway = way->gateway4;
  job->ports = published_ports(c);
  job->container = c;
  for (const auto& [target, alias, address] : linked(c)) {
    job->link_hosts.push_back(link_host_line(*target, alias, address));
    auto& env = job->container.config.env;
    const auto more = link_environment(c.name, *target, alias, address);
    env.insert(env.begin(), more.begin(), more.end());  // what the user says goes before it
  }
  return ok_status();
}

}  // namespace stack::engine
