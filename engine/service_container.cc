#include "engine/service_container.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "compose/probe.h"
#include "scheduler/restart.h"

namespace stack::engine {

namespace {

constexpr std::string_view kServicePrefix = "service:";

Result<std::string> namespace_mode(const std::string& mode, const ServicePlacement& placement) {
  if (mode.rfind(kServicePrefix, 0) != 0) return mode;
  return "container:" + TRY(placement.container_of(mode.substr(kServicePrefix.size())));
}

std::vector<std::string> environment_list(const compose::Environment& environment) {
  std::vector<std::string> out;
  for (const auto& [key, value] : environment) out.push_back(value ? key + "=" + *value : key);
  return out;
}

MountConfig mount_of(const compose::Project& project, const compose::MountConfig& from) {
  MountConfig mount;
  mount.type = from.type;
  mount.source = from.source;
  mount.target = from.target;
  mount.read_only = from.read_only;
  if (from.type == "bind") {
    // Without a bind: block Compose still creates a missing source (short form, and long form
    // alike).
    mount.create_host_path = !from.bind || from.bind->create_host_path;
    if (from.bind) {
      mount.propagation = from.bind->propagation;
      mount.recursive = from.bind->recursive != "disabled";
    }
  } else if (from.type == "volume") {
    if (const auto it = project.volumes.find(from.source); it != project.volumes.end())
      mount.source = it->second.name;
    if (from.volume) {
      mount.no_copy = from.volume->nocopy;
      mount.subpath = from.volume->subpath;
      mount.volume_labels = from.volume->labels;
    }
  } else if (from.type == "tmpfs" && from.tmpfs) {
    mount.tmpfs_size = from.tmpfs->size;
    if (from.tmpfs->mode != 0) mount.tmpfs_mode = from.tmpfs->mode;
  } else if (from.type == "image" && from.image) {
    mount.subpath = from.image->subpath;
  }
  return mount;
}

Status add_files(const compose::Project& project,
                 const std::vector<compose::FileReference>& references,
                 const std::map<std::string, compose::FileSource>& sources, const char* kind,
                 const ServicePlacement& placement, ServiceContainer* out) {
  const bool secret = std::string_view(kind) == "secret";
  for (const auto& reference : references) {
    const auto it = sources.find(reference.source);
    if (it == sources.end())
      return Error::not_found(fmt::format("undefined {} {}", kind, reference.source));
    const compose::FileSource& source = it->second;
    if (source.external)
      return Error::invalid(fmt::format("unsupported external {} {}", kind, reference.source));
    MountConfig mount;
    mount.type = "bind";
    mount.read_only = true;
    mount.target = reference.target.empty() ? reference.source : reference.target;
    if (mount.target[0] != '/') mount.target = (secret ? "/run/secrets/" : "/") + mount.target;
    if (!source.file.empty()) {
      mount.source = source.file;
    } else {
      ServiceContainer::InjectedFile file;
      file.path = placement.files_directory /
                  fmt::format("{}-{}-{}", kind, placement.container_name, reference.source);
      file.text = source.content;
      if (!source.environment.empty()) {
        const auto value = project.environment.find(source.environment);
        if (value == project.environment.end()) {
          return Error::invalid(
              fmt::format("environment variable \"{}\" required by {} \"{}\" is not set",
                          source.environment, kind, source.name));
        }
        file.text = value->second;
      }
      file.mode = reference.mode.value_or(0444);
      file.uid = static_cast<unsigned>(std::strtoul(reference.uid.c_str(), nullptr, 10));
      file.gid = static_cast<unsigned>(std::strtoul(reference.gid.c_str(), nullptr, 10));
      mount.source = file.path.string();
      out->files.push_back(std::move(file));
    }
    out->config.mounts.push_back(std::move(mount));
  }
  return ok_status();
}

HealthcheckConfig healthcheck_of(const compose::Healthcheck& from) {
  HealthcheckConfig to;
  to.test = from.disable ? std::vector<std::string>{"NONE"} : from.test;
  if (const std::string probe = compose::probe_of(from); !from.disable && !probe.empty())
    to.test = {"PROBE", probe};
  to.interval = from.interval.value_or(Duration{0});
  to.timeout = from.timeout.value_or(Duration{0});
  to.start_period = from.start_period.value_or(Duration{0});
  to.start_interval = from.start_interval.value_or(Duration{0});
  to.retries = static_cast<int>(from.retries.value_or(0));
  return to;
}

Status set_restart_policy(const compose::Service& service, ContainerConfig* config) {
  const auto policy = TRY(scheduler::restart_policy_of(service));
  config->restart_policy = policy.kind == scheduler::RestartPolicy::Kind::kAlways
                               ? "always"
                               : scheduler::to_string(policy);
  if (policy.kind == scheduler::RestartPolicy::Kind::kOnFailure) {
    config->restart_policy = "on-failure";
    config->restart_max_retries = policy.max_retries;
  }
  if (std::string label = scheduler::restart_label(policy); !label.empty())
    config->labels[scheduler::kRestartLabel] = std::move(label);
  return ok_status();
}

void set_resources(const compose::Service& service, ContainerConfig* config) {
  ResourceLimits& r = config->resources;
  r.cpu_shares = service.cpu_shares;
  r.cpu_period = service.cpu_period;
  r.cpu_quota = service.cpu_quota;
  r.cpuset_cpus = service.cpuset;
  r.nano_cpus = static_cast<std::int64_t>(static_cast<double>(service.cpus) * 1e9 + 0.5);
  r.memory = service.mem_limit;
  r.memory_reservation = service.mem_reservation;
  r.memory_swap = service.memswap_limit;
  if (service.mem_swappiness != 0) r.memory_swappiness = service.mem_swappiness;
  r.oom_kill_disable = service.oom_kill_disable;
  r.pids_limit = service.pids_limit;
  if (service.blkio_config) r.blkio_weight = service.blkio_config->weight;
  if (!service.deploy) return;
  if (const auto& limits = service.deploy->limits) {
    if (limits->cpus != 0)
      r.nano_cpus = static_cast<std::int64_t>(static_cast<double>(limits->cpus) * 1e9 + 0.5);
    if (limits->memory != 0) r.memory = limits->memory;
    if (limits->pids != 0) r.pids_limit = limits->pids;
  }
  if (const auto& reservations = service.deploy->reservations;
      reservations && reservations->memory != 0) {
    r.memory_reservation = reservations->memory;
  }
}

Status set_networks(const compose::Project& project, const compose::Service& service,
                    const ServicePlacement& placement, ContainerConfig* config) {
  if (!service.network_mode.empty()) {
    config->network_mode = TRY(namespace_mode(service.network_mode, placement));
    return ok_status();
  }
  // links are names for this container alone; the engine resolves them when it is asked:
  // netd/names.h.
  std::vector<std::string> links;
  for (const auto& link : service.links) {
    const std::size_t colon = link.find(':');
    const std::string target = link.substr(0, colon);
    links.push_back(target + ":" + (colon == std::string::npos ? target : link.substr(colon + 1)));
  }
  std::string primary;
  int best = 0;
  for (const auto& [key, options] : service.networks) {
    const auto it = project.networks.find(key);
    if (it == project.networks.end()) return Error::not_found("undefined network " + key);
    EndpointConfig endpoint;
    endpoint.aliases = {placement.container_name};
    if (!placement.one_off || placement.use_aliases) {
      endpoint.aliases.push_back(service.name);
      if (options)
        endpoint.aliases.insert(endpoint.aliases.end(), options->aliases.begin(),
                                options->aliases.end());
    }
    endpoint.links = links;
    for (const auto& link : service.external_links) {
      const std::size_t colon = link.find(':');
      endpoint.links.push_back(colon == std::string::npos ? link + ":" + link : link);
    }
    int priority = 0;
    if (options) {
      endpoint.ipv4 = options->ipv4_address;
      endpoint.ipv6 = options->ipv6_address;
      endpoint.link_local_ips = options->link_local_ips;
      endpoint.mac = options->mac_address;
      endpoint.gateway_priority = options->gw_priority;
      endpoint.interface_name = options->interface_name;
      endpoint.driver_options = options->driver_opts;
      priority = options->priority;
    }
    if (endpoint.mac.empty()) endpoint.mac = service.mac_address;
    if (primary.empty() || priority > best) {
      primary = it->second.name;
      best = priority;
    }
    config->networks.emplace(it->second.name, std::move(endpoint));
  }
  config->network_mode = primary.empty() ? "none" : primary;
  return ok_status();
}

Status set_volumes_from(const compose::Service& service, const ServicePlacement& placement,
                        ContainerConfig* config) {
  static constexpr std::string_view kContainer = "container:";
  for (const auto& entry : service.volumes_from) {
    if (entry.rfind(kContainer, 0) == 0) {
      config->volumes_from.push_back(entry.substr(kContainer.size()));
      continue;
    }
    const std::size_t colon = entry.find(':');
    std::string source = TRY(placement.container_of(entry.substr(0, colon)));
    config->volumes_from.push_back(colon == std::string::npos ? source
                                                              : source + entry.substr(colon));
  }
  return ok_status();
}

}  // namespace

std::string image_of_service(const compose::Project& project, const compose::Service& service) {
  return service.image.empty() ? project.name + "-" + service.name : service.image;
}

Result<ServiceContainer> container_of_service(const compose::Project& project,
                                              const compose::Service& service,
                                              const ServicePlacement& placement) {
  ServiceContainer out;
  ContainerConfig& c = out.config;
  c.image = image_of_service(project, service);
  c.cmd = service.command;
  c.entrypoint = service.entrypoint;
  c.env = environment_list(service.environment);
  c.working_dir = service.working_dir;
  c.user = service.user;
  c.hostname = service.hostname;
  c.domainname = service.domainname;
  c.labels = service.labels;
  for (const auto& [key, value] : placement.labels) c.labels[key] = value;
  for (const auto& port : service.expose)
    c.exposed_ports.insert(port.find('/') == std::string::npos ? port + "/tcp" : port);
  for (const auto& port : service.ports) {
    c.exposed_ports.insert(fmt::format("{}/{}", port.target, port.protocol));
    if (placement.one_off && !placement.service_ports) continue;
    c.ports.push_back({port.target, port.protocol, port.host_ip, port.published});
  }
  c.tty = service.tty;
  c.open_stdin = service.stdin_open;
  c.stop_signal = service.stop_signal;
  if (service.stop_grace_period) {
    c.stop_timeout = static_cast<int>(
        std::chrono::duration_cast<std::chrono::seconds>(*service.stop_grace_period).count());
  }
  if (service.healthcheck) c.healthcheck = healthcheck_of(*service.healthcheck);
  for (const auto& mount : service.volumes) c.mounts.push_back(mount_of(project, mount));
  for (const auto& text : service.tmpfs) {
    MountConfig mount;
    mount.type = "tmpfs";
    const std::size_t colon = text.find(':');
    mount.target = text.substr(0, colon);
    if (colon != std::string::npos) mount.tmpfs_options = text.substr(colon + 1);
    c.mounts.push_back(std::move(mount));
  }
  TRY(set_volumes_from(service, placement, &c));
  TRY(add_files(project, service.secrets, project.secrets, "secret", placement, &out));
  TRY(add_files(project, service.configs, project.configs, "config", placement, &out));
  if (!placement.one_off) TRY(set_restart_policy(service, &c));
  set_resources(service, &c);
  TRY(set_networks(project, service, placement, &c));
  c.privileged = service.privileged;
  c.read_only = service.read_only;
  c.init = service.init;
  c.cap_add = service.cap_add;
  c.cap_drop = service.cap_drop;
  c.dns = service.dns;
  c.dns_options = service.dns_opt;
  c.dns_search = service.dns_search;
  for (const auto& [host, addresses] : service.extra_hosts) {
    for (const auto& address : addresses) c.extra_hosts.push_back(host + ":" + address);
  }
  c.group_add = service.group_add;
  c.security_opt = service.security_opt;
  c.device_cgroup_rules = service.device_cgroup_rules;
  c.ipc_mode = TRY(namespace_mode(service.ipc, placement));
  c.pid_mode = TRY(namespace_mode(service.pid, placement));
  c.uts_mode = TRY(namespace_mode(service.uts, placement));
  c.cgroupns_mode = service.cgroup;
  c.userns_mode = service.userns_mode;
  c.cgroup_parent = service.cgroup_parent;
  c.runtime = service.runtime;
  c.sysctls = service.sysctls;
  c.annotations = service.annotations;
  for (const auto& [name, limit] : service.ulimits)
    c.ulimits.push_back({name, limit.soft, limit.hard});
  for (const auto& device : service.devices) {
    c.devices.push_back({device.source, device.target.empty() ? device.source : device.target,
                         device.permissions.empty() ? "rwm" : device.permissions});
  }
  c.shm_size = service.shm_size;
  c.oom_score_adj = static_cast<int>(service.oom_score_adj);
  if (service.logging) {
    if (!service.logging->driver.empty()) c.log.driver = service.logging->driver;
    c.log.options = service.logging->options;
  }
  return out;
}

}  // namespace stack::engine
