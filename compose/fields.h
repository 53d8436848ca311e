// The members of every model type under their names in the file, in the order in which `config`
// prints them. bind.cc reads trees by these descriptions and writer.cc writes them, so that the two
// cannot disagree.
//
// A visitor V is called as v("key", member); values whose text is not that of their type have calls
// of their own: bytes(), command(), mode(), hosts(), always() (written even when empty), group() (a
// map in the file, no type in the model).
#pragma once

#include <concepts>
#include <type_traits>

#include "compose/project.h"

namespace stack::compose {

template <typename S, typename T>
concept Like = std::same_as<std::remove_const_t<S>, T>;

template <typename V, Like<PortConfig> S>
void describe(V& v, S& s) {
  v("name", s.name);
  v("mode", s.mode);
  v("host_ip", s.host_ip);
  v("target", s.target);
  v("published", s.published);
  v("protocol", s.protocol);
  v("app_protocol", s.app_protocol);
  v.extensions(s.extensions);
}

template <typename V, Like<BindOptions> S>
void describe(V& v, S& s) {
  v("selinux", s.selinux);
  v("propagation", s.propagation);
  v("create_host_path", s.create_host_path);
  v("recursive", s.recursive);
  v.extensions(s.extensions);
}

template <typename V, Like<VolumeOptions> S>
void describe(V& v, S& s) {
  v("labels", s.labels);
  v("nocopy", s.nocopy);
  v("subpath", s.subpath);
  v.extensions(s.extensions);
}

template <typename V, Like<TmpfsOptions> S>
void describe(V& v, S& s) {
  v.bytes("size", s.size);
  v("mode", s.mode);
  v.extensions(s.extensions);
}

template <typename V, Like<ImageOptions> S>
void describe(V& v, S& s) {
  v("subpath", s.subpath);
  v.extensions(s.extensions);
}

template <typename V, Like<MountConfig> S>
void describe(V& v, S& s) {
  v("type", s.type);
  v("source", s.source);
  v("target", s.target);
  v("read_only", s.read_only);
  v("consistency", s.consistency);
  v("bind", s.bind);
  v("volume", s.volume);
  v("tmpfs", s.tmpfs);
  v("image", s.image);
  v.extensions(s.extensions);
}

template <typename V, Like<Dependency> S>
void describe(V& v, S& s) {
  v("condition", s.condition);
  v("restart", s.restart);
  v.always("required", s.required);
  v.extensions(s.extensions);
}

template <typename V, Like<ServiceNetwork> S>
void describe(V& v, S& s) {
  v("aliases", s.aliases);
  v("driver_opts", s.driver_opts);
  v("gw_priority", s.gw_priority);
  v("interface_name", s.interface_name);
  v("ipv4_address", s.ipv4_address);
  v("ipv6_address", s.ipv6_address);
  v("link_local_ips", s.link_local_ips);
  v("mac_address", s.mac_address);
  v("priority", s.priority);
  v.extensions(s.extensions);
}

template <typename V, Like<Healthcheck> S>
void describe(V& v, S& s) {
  v("test", s.test);
  v("timeout", s.timeout);
  v("interval", s.interval);
  v("retries", s.retries);
  v("start_period", s.start_period);
  v("start_interval", s.start_interval);
  v("disable", s.disable);
  v.extensions(s.extensions);
}

template <typename V, Like<FileReference> S>
void describe(V& v, S& s) {
  v("source", s.source);
  v("target", s.target);
  v("uid", s.uid);
  v("gid", s.gid);
  v.mode("mode", s.mode);
  v.extensions(s.extensions);
}

template <typename V, Like<Device> S>
void describe(V& v, S& s) {
  v("source", s.source);
  v("target", s.target);
  v("permissions", s.permissions);
  v.extensions(s.extensions);
}

template <typename V, Like<DeviceRequest> S>
void describe(V& v, S& s) {
  v("capabilities", s.capabilities);
  v("driver", s.driver);
  v("count", s.count);
  v("device_ids", s.device_ids);
  v("options", s.options);
}

template <typename V, Like<Logging> S>
void describe(V& v, S& s) {
  v("driver", s.driver);
  v("options", s.options);
  v.extensions(s.extensions);
}

template <typename V, Like<WeightDevice> S>
void describe(V& v, S& s) {
  v(v.docker_name("path", "Path"), s.path);
  v(v.docker_name("weight", "Weight"), s.weight);
}

template <typename V, Like<ThrottleDevice> S>
void describe(V& v, S& s) {
  v(v.docker_name("path", "Path"), s.path);
  v.bytes(v.docker_name("rate", "Rate"), s.rate);
}

template <typename V, Like<BlkioConfig> S>
void describe(V& v, S& s) {
  v("weight", s.weight);
  v("weight_device", s.weight_device);
  v("device_read_bps", s.device_read_bps);
  v("device_read_iops", s.device_read_iops);
  v("device_write_bps", s.device_write_bps);
  v("device_write_iops", s.device_write_iops);
}

template <typename V, Like<Build> S>
void describe(V& v, S& s) {
  v("context", s.context);
  v("dockerfile", s.dockerfile);
  v("dockerfile_inline", s.dockerfile_inline);
  v("entitlements", s.entitlements);
  v("args", s.args);
  v("provenance", s.provenance);
  v("sbom", s.sbom);
  v.ssh("ssh", s.ssh);
  v("labels", s.labels);
  v("cache_from", s.cache_from);
  v("cache_to", s.cache_to);
  v("no_cache", s.no_cache);
  v("additional_contexts", s.additional_contexts);
  v("pull", s.pull);
  v.hosts("extra_hosts", s.extra_hosts);
  v("isolation", s.isolation);
  v("network", s.network);
  v("target", s.target);
  v("secrets", s.secrets);
  v.bytes("shm_size", s.shm_size);
  v("tags", s.tags);
  v("ulimits", s.ulimits);
  v("platforms", s.platforms);
  v("privileged", s.privileged);
  v.extensions(s.extensions);
}

template <typename V, Like<Hook> S>
void describe(V& v, S& s) {
  v.always("command", s.command);
  v("user", s.user);
  v("privileged", s.privileged);
  v("working_dir", s.working_dir);
  v("environment", s.environment);
  v.extensions(s.extensions);
}

template <typename V, Like<WatchTrigger> S>
void describe(V& v, S& s) {
  v("path", s.path);
  v("action", s.action);
  v("target", s.target);
  v.docker_empty("exec", "command", s.exec);
  v("include", s.include);
  v("ignore", s.ignore);
  v("initial_sync", s.initial_sync);
  v.extensions(s.extensions);
}

template <typename V, Like<Develop> S>
void describe(V& v, S& s) {
  v("watch", s.watch);
  v.extensions(s.extensions);
}

template <typename V, Like<Resources::GenericResource> S>
void describe(V& v, S& s) {
  v.group("discrete_resource_spec", false, [&](auto& g) {
    g("kind", s.kind);
    g("value", s.value);
    g.extensions(s.spec_extensions);
  });
  v.extensions(s.extensions);
}

template <typename V, Like<Resources> S>
void describe(V& v, S& s) {
  v("cpus", s.cpus);
  v.bytes("memory", s.memory);
  v("pids", s.pids);
  v("devices", s.devices);
  v("generic_resources", s.generic_resources);
  v.extensions(s.extensions);
}

template <typename V, Like<UpdateConfig> S>
void describe(V& v, S& s) {
  v("parallelism", s.parallelism);
  v("delay", s.delay);
  v("failure_action", s.failure_action);
  v("monitor", s.monitor);
  v("max_failure_ratio", s.max_failure_ratio);
  v("order", s.order);
  v.extensions(s.extensions);
}

template <typename V, Like<RestartPolicy> S>
void describe(V& v, S& s) {
  v("condition", s.condition);
  v("delay", s.delay);
  v("max_attempts", s.max_attempts);
  v("window", s.window);
  v.extensions(s.extensions);
}

template <typename V, Like<PlacementPreference> S>
void describe(V& v, S& s) {
  v("spread", s.spread);
  v.extensions(s.extensions);
}

template <typename V, Like<Placement> S>
void describe(V& v, S& s) {
  v("constraints", s.constraints);
  v("preferences", s.preferences);
  v("max_replicas_per_node", s.max_replicas_per_node);
  v.extensions(s.extensions);
}

template <typename V, Like<Deploy> S>
void describe(V& v, S& s) {
  v("mode", s.mode);
  v("replicas", s.replicas);
  v("labels", s.labels);
  v("update_config", s.update_config);
  v("rollback_config", s.rollback_config);
  v.group("resources", true, [&](auto& g) {
    g("limits", s.limits);
    g("reservations", s.reservations);
    g.extensions(s.resources_extensions);
  });
  v("restart_policy", s.restart_policy);
  v.group("placement", true, [&](auto& g) { describe(g, s.placement); });
  v("endpoint_mode", s.endpoint_mode);
  v.extensions(s.extensions);
}

template <typename V, Like<Provider> S>
void describe(V& v, S& s) {
  v("type", s.type);
  v("options", s.options);
  v.extensions(s.extensions);
}

template <typename V, Like<CredentialSpec> S>
void describe(V& v, S& s) {
  v("config", s.config);
  v("file", s.file);
  v("registry", s.registry);
  v.extensions(s.extensions);
}

template <typename V, Like<ServiceModel> S>
void describe(V& v, S& s) {
  v("endpoint_var", s.endpoint_var);
  v("model_var", s.model_var);
  v.extensions(s.extensions);
}

template <typename V, Like<Service> S>
void describe(V& v, S& s) {
  v("profiles", s.profiles);
  v("annotations", s.annotations);
  v("attach", s.attach);
  v("build", s.build);
  v("develop", s.develop);
  v("blkio_config", s.blkio_config);
  v("cap_add", s.cap_add);
  v("cap_drop", s.cap_drop);
  v("cgroup_parent", s.cgroup_parent);
  v("cgroup", s.cgroup);
  v("cpu_count", s.cpu_count);
  v("cpu_percent", s.cpu_percent);
  v("cpu_period", s.cpu_period);
  v("cpu_quota", s.cpu_quota);
  v("cpu_rt_period", s.cpu_rt_period);
  v("cpu_rt_runtime", s.cpu_rt_runtime);
  v("cpus", s.cpus);
  v("cpuset", s.cpuset);
  v("cpu_shares", s.cpu_shares);
  v.command("command", s.command);
  v("configs", s.configs);
  v("container_name", s.container_name);
  v("credential_spec", s.credential_spec);
  v("depends_on", s.depends_on);
  v("deploy", s.deploy);
  v("device_cgroup_rules", s.device_cgroup_rules);
  v("devices", s.devices);
  v("dns", s.dns);
  v("dns_opt", s.dns_opt);
  v("dns_search", s.dns_search);
  v("domainname", s.domainname);
  v.command("entrypoint", s.entrypoint);
  v("provider", s.provider);
  v("environment", s.environment);
  v("expose", s.expose);
  v("external_links", s.external_links);
  v.hosts("extra_hosts", s.extra_hosts);
  v("group_add", s.group_add);
  v("gpus", s.gpus);
  v("hostname", s.hostname);
  v("healthcheck", s.healthcheck);
  v("image", s.image);
  v("init", s.init);
  v("ipc", s.ipc);
  v("isolation", s.isolation);
  v("labels", s.labels);
  v("links", s.links);
  v("logging", s.logging);
  v.bytes("mem_limit", s.mem_limit);
  v.bytes("mem_reservation", s.mem_reservation);
  v.bytes("memswap_limit", s.memswap_limit);
  v.bytes("mem_swappiness", s.mem_swappiness);
  v("mac_address", s.mac_address);
  v("models", s.models);
  v("network_mode", s.network_mode);
  v("networks", s.networks);
  v("oom_kill_disable", s.oom_kill_disable);
  v("oom_score_adj", s.oom_score_adj);
  v("pid", s.pid);
  v("pids_limit", s.pids_limit);
  v("platform", s.platform);
  v("ports", s.ports);
  v("privileged", s.privileged);
  v("pull_policy", s.pull_policy);
  v("read_only", s.read_only);
  v("restart", s.restart);
  v("runtime", s.runtime);
  v("scale", s.scale);
  v("secrets", s.secrets);
  v("security_opt", s.security_opt);
  v.bytes("shm_size", s.shm_size);
  v("stdin_open", s.stdin_open);
  v("stop_grace_period", s.stop_grace_period);
  v("stop_signal", s.stop_signal);
  v("storage_opt", s.storage_opt);
  v("sysctls", s.sysctls);
  v("tmpfs", s.tmpfs);
  v("tty", s.tty);
  v("ulimits", s.ulimits);
  v("use_api_socket", s.use_api_socket);
  v("user", s.user);
  v("userns_mode", s.userns_mode);
  v("uts", s.uts);
  v("volumes", s.volumes);
  v("volumes_from", s.volumes_from);
  v("working_dir", s.working_dir);
  v("post_start", s.post_start);
  v("pre_stop", s.pre_stop);
  v.extensions(s.extensions);
}

template <typename V, Like<IpamPool> S>
void describe(V& v, S& s) {
  v("subnet", s.subnet);
  v("gateway", s.gateway);
  v("ip_range", s.ip_range);
  v("aux_addresses", s.aux_addresses);
}

template <typename V, Like<Ipam> S>
void describe(V& v, S& s) {
  v("driver", s.driver);
  v("config", s.config);
  v.extensions(s.extensions);
}

template <typename V, Like<Network> S>
void describe(V& v, S& s) {
  v("name", s.name);
  v("driver", s.driver);
  v("driver_opts", s.driver_opts);
  v.group("ipam", true, [&](auto& g) { describe(g, s.ipam); });
  v("external", s.external);
  v("internal", s.internal);
  v("attachable", s.attachable);
  v("labels", s.labels);
  v("enable_ipv4", s.enable_ipv4);
  v("enable_ipv6", s.enable_ipv6);
  v.extensions(s.extensions);
}

template <typename V, Like<Volume> S>
void describe(V& v, S& s) {
  v("name", s.name);
  v("driver", s.driver);
  v("driver_opts", s.driver_opts);
  v("external", s.external);
  v("labels", s.labels);
  v.extensions(s.extensions);
}

template <typename V, Like<FileSource> S>
void describe(V& v, S& s) {
  v("name", s.name);
  v("file", s.file);
  v("environment", s.environment);
  v("content", s.content);
  v("external", s.external);
  v("labels", s.labels);
  v("driver", s.driver);
  v("driver_opts", s.driver_opts);
  v("template_driver", s.template_driver);
  v.extensions(s.extensions);
}

template <typename V, Like<Model> S>
void describe(V& v, S& s) {
  v("name", s.name);
  v("model", s.model);
  v("context_size", s.context_size);
  v("runtime_flags", s.runtime_flags);
  v.extensions(s.extensions);
}

template <typename V, Like<Project> S>
void describe(V& v, S& s) {
  v("name", s.name);
  v.always("services", s.services);
  v("networks", s.networks);
  v("volumes", s.volumes);
  v("secrets", s.secrets);
  v("configs", s.configs);
  v.models("models", s.models);
  v.project_extensions(s.extensions);
}

}  // namespace stack::compose
