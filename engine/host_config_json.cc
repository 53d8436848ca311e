#include <fmt/core.h>

#include <charconv>

#include "engine/config_json.h"
#include "engine/json_fields.h"

namespace stack::engine {

namespace {

PortBinding parse_port_key(const std::string& key) {
  PortBinding out;
  const auto slash = key.find('/');
  const auto number = key.substr(0, slash);
  if (slash != std::string::npos) out.protocol = key.substr(slash + 1);
  for (char& c : out.protocol) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto [end, failed] =
      std::from_chars(number.data(), number.data() + number.size(), out.container_port);
  const bool bad_number = failed != std::errc() || end != number.data() + number.size() ||
                          number.empty() || out.container_port < 1 || out.container_port > 65535;
  if (bad_number) bad_value(fmt::format("invalid port specification: \"{}\"", number));
  if (out.protocol != "tcp" && out.protocol != "udp" && out.protocol != "sctp") {
    bad_value(fmt::format("invalid proto: \"{}\"", out.protocol));
  }
  return out;
}

void check_host_port(const std::string& text) {
  if (text.empty()) return;
  const auto dash = text.find('-');
  const auto number = [&](std::string_view part) {
    int port = -1;
    const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), port);
    if (failed != std::errc() || end != part.data() + part.size() || port < 0 || port > 65535) {
      bad_value(fmt::format("invalid port specification: \"{}\"", text));
    }
    return port;
  };
  const int first = number(std::string_view(text).substr(0, dash));
  if (dash == std::string::npos) return;
  if (number(std::string_view(text).substr(dash + 1)) < first)
    bad_value(fmt::format("invalid port specification: \"{}\"", text));
}

void parse_ports(const Json& bindings, ContainerConfig& out) {
  if (!bindings.is_object()) return;
  for (const auto& [key, list] : bindings.items()) {
    const PortBinding port = parse_port_key(key);
    if (!list.is_array() || list.empty()) {  // a key alone: any free port
      out.ports.push_back(port);
      continue;
    }
    for (const auto& binding : list) {
      PortBinding one = port;
      one.host_ip = text_field(binding, "HostIp");
      one.host_port = text_field(binding, "HostPort");
      check_host_port(one.host_port);
      out.ports.push_back(std::move(one));
    }
  }
}

Json ports_json(const std::vector<PortBinding>& ports) {
  Json out;
  for (const auto& port : ports) {
    out[fmt::format("{}/{}", port.container_port, port.protocol)].push_back(
        {{"HostIp", port.host_ip}, {"HostPort", port.host_port}});
  }
  return out;
}

void resources_to_json(const ResourceLimits& limits, Json& out) {
  out["CpuShares"] = limits.cpu_shares;
  out["Memory"] = limits.memory;
  out["NanoCpus"] = limits.nano_cpus;
  out["BlkioWeight"] = limits.blkio_weight;
  const auto rates = [&](const char* key, const char* member, const std::vector<DeviceRate>& list) {
    out[key] = nullptr;
    for (const auto& one : list) out[key].push_back({{"Path", one.path}, {member, one.rate}});
  };
  rates("BlkioWeightDevice", "Weight", limits.blkio_weights);
  rates("BlkioDeviceReadBps", "Rate", limits.read_bps);
  rates("BlkioDeviceWriteBps", "Rate", limits.write_bps);
  rates("BlkioDeviceReadIOps", "Rate", limits.read_iops);
  rates("BlkioDeviceWriteIOps", "Rate", limits.write_iops);
  out["CpuPeriod"] = limits.cpu_period;
  out["CpuQuota"] = limits.cpu_quota;
  out["CpuRealtimePeriod"] = 0;
  out["CpuRealtimeRuntime"] = 0;
  out["CpusetCpus"] = limits.cpuset_cpus;
  out["CpusetMems"] = limits.cpuset_mems;
  out["MemoryReservation"] = limits.memory_reservation;
  out["MemorySwap"] = limits.memory_swap;
  out["MemorySwappiness"] = or_null(limits.memory_swappiness);
  out["OomKillDisable"] = limits.oom_kill_disable;
  out["PidsLimit"] = limits.pids_limit == 0 ? Json() : Json(limits.pids_limit);
  out["CpuCount"] = 0;
  out["CpuPercent"] = 0;
  out["IOMaximumIOps"] = 0;
  out["IOMaximumBandwidth"] = 0;
}

}  // namespace

void parse_resources(const Json& json, ResourceLimits& out) {
  out.nano_cpus = field<std::int64_t>(json, "NanoCpus", field<std::int64_t>(json, "NanoCPUs"));
  out.cpu_shares = field<std::int64_t>(json, "CpuShares");
  out.cpu_period = field<std::int64_t>(json, "CpuPeriod");
  out.cpu_quota = field<std::int64_t>(json, "CpuQuota");
  out.cpuset_cpus = text_field(json, "CpusetCpus");
  out.cpuset_mems = text_field(json, "CpusetMems");
  out.memory = field<std::int64_t>(json, "Memory");
  out.memory_swap = field<std::int64_t>(json, "MemorySwap");
  out.memory_reservation = field<std::int64_t>(json, "MemoryReservation");
  out.memory_swappiness = optional_field<std::int64_t>(json, "MemorySwappiness");
  if (out.memory_swappiness == -1) out.memory_swappiness.reset();  // how clients say "default"
  out.oom_kill_disable = field(json, "OomKillDisable", false);
  out.pids_limit = field<std::int64_t>(json, "PidsLimit");
  out.blkio_weight = field<int>(json, "BlkioWeight");
  const auto rates = [&](const char* key, const char* member, std::vector<DeviceRate>& list) {
    list.clear();
    for (const auto& one : child(json, key))
      list.push_back({text_field(one, "Path"), field<std::int64_t>(one, member)});
  };
  rates("BlkioWeightDevice", "Weight", out.blkio_weights);
  rates("BlkioDeviceReadBps", "Rate", out.read_bps);
  rates("BlkioDeviceWriteBps", "Rate", out.write_bps);
  rates("BlkioDeviceReadIOps", "Rate", out.read_iops);
  rates("BlkioDeviceWriteIOps", "Rate", out.write_iops);
}

Json host_config_json(const ContainerConfig& c, MountForm form) {
  Json out;
  mounts_to_json(c, form, out);
  out["ContainerIDFile"] = "";
  out["LogConfig"] = {{"Type", c.log.driver}, {"Config", object_or_empty(c.log.options)}};
  out["NetworkMode"] = c.network_mode;
  out["PortBindings"] = ports_json(c.ports);
  out["RestartPolicy"] = {{"Name", c.restart_policy}, {"MaximumRetryCount", c.restart_max_retries}};
  out["AutoRemove"] = c.auto_remove;
  out["VolumeDriver"] = c.volume_driver;
  out["VolumesFrom"] = or_null(c.volumes_from);
  out["ConsoleSize"] = {0, 0};
  out["CapAdd"] = or_null(c.cap_add);
  out["CapDrop"] = or_null(c.cap_drop);
  out["CgroupnsMode"] = c.cgroupns_mode;
  out["Dns"] = or_null(c.dns);
  out["DnsOptions"] = or_null(c.dns_options);
  out["DnsSearch"] = or_null(c.dns_search);
  out["ExtraHosts"] = or_null(c.extra_hosts);
  out["GroupAdd"] = or_null(c.group_add);
  out["IpcMode"] = c.ipc_mode;
  out["Cgroup"] = "";
  out["Links"] = or_null(c.links);
  out["OomScoreAdj"] = c.oom_score_adj;
  out["PidMode"] = c.pid_mode;
  out["Privileged"] = c.privileged;
  out["PublishAllPorts"] = c.publish_all_ports;
  out["ReadonlyRootfs"] = c.read_only;
  out["SecurityOpt"] = or_null(c.security_opt);
  out["UTSMode"] = c.uts_mode;
  out["UsernsMode"] = c.userns_mode;
  out["ShmSize"] = c.shm_size;
  if (!c.sysctls.empty()) out["Sysctls"] = c.sysctls;
  if (!c.annotations.empty()) out["Annotations"] = c.annotations;
  if (!c.storage_options.empty()) out["StorageOpt"] = c.storage_options;
  if (c.init) out["Init"] = *c.init;
  out["Runtime"] = c.runtime;
  out["Isolation"] = c.isolation;
  out["CgroupParent"] = c.cgroup_parent;
  resources_to_json(c.resources, out);
  out["Devices"] = nullptr;
  for (const auto& d : c.devices) {
    out["Devices"].push_back({{"PathOnHost", d.host},
                              {"PathInContainer", d.container},
                              {"CgroupPermissions", d.permissions}});
  }
  out["DeviceCgroupRules"] = or_null(c.device_cgroup_rules);
  out["DeviceRequests"] = nullptr;
  out["Ulimits"] = nullptr;
  for (const auto& u : c.ulimits)
    out["Ulimits"].push_back({{"Name", u.name}, {"Hard", u.hard}, {"Soft", u.soft}});
  out["MaskedPaths"] = or_null(c.masked_paths);
  out["ReadonlyPaths"] = or_null(c.readonly_paths);
  for (const auto& key : c.given_empty) {
    if (out[key].is_null()) out[key] = key == "PortBindings" ? Json::object() : Json::array();
  }
  return out;
}

void parse_host_config(const Json& json, ContainerConfig& out) {
  parse_mounts(json, out);
  for (const char* key : {"Binds",
                          "BlkioDeviceReadBps",
                          "BlkioDeviceReadIOps",
                          "BlkioDeviceWriteBps",
                          "BlkioDeviceWriteIOps",
                          "BlkioWeightDevice",
                          "CapAdd",
                          "CapDrop",
                          "DeviceCgroupRules",
                          "DeviceRequests",
                          "Devices",
                          "Dns",
                          "DnsOptions",
                          "DnsSearch",
                          "ExtraHosts",
                          "GroupAdd",
                          "Links",
                          "PortBindings",
                          "SecurityOpt",
                          "Ulimits",
                          "VolumesFrom"}) {
    const Json& given = child(json, key);
    if (!given.is_null() && given.empty()) out.given_empty.insert(key);
  }
  out.volumes_from = field<Strings>(json, "VolumesFrom");
  parse_ports(child(json, "PortBindings"), out);
  out.publish_all_ports = field(json, "PublishAllPorts", false);
  out.network_mode = text_field(json, "NetworkMode");
  if (out.network_mode.empty()) out.network_mode = "default";
  out.restart_policy = text_field(child(json, "RestartPolicy"), "Name");
  out.restart_max_retries = field<int>(child(json, "RestartPolicy"), "MaximumRetryCount");
  out.auto_remove = field(json, "AutoRemove", false);
  out.privileged = field(json, "Privileged", false);
  out.read_only = field(json, "ReadonlyRootfs", false);
  out.init = optional_field<bool>(json, "Init");
  out.cap_add = field<Strings>(json, "CapAdd");
  out.cap_drop = field<Strings>(json, "CapDrop");
  out.dns = field<Strings>(json, "Dns");
  out.dns_options = field<Strings>(json, "DnsOptions");
  out.dns_search = field<Strings>(json, "DnsSearch");
  out.extra_hosts = field<Strings>(json, "ExtraHosts");
  out.group_add = field<Strings>(json, "GroupAdd");
  out.links = field<Strings>(json, "Links");
  out.security_opt = field<Strings>(json, "SecurityOpt");
  out.device_cgroup_rules = field<Strings>(json, "DeviceCgroupRules");
  out.masked_paths = optional_field<Strings>(json, "MaskedPaths");
  out.readonly_paths = optional_field<Strings>(json, "ReadonlyPaths");
  out.ipc_mode = text_field(json, "IpcMode");
  out.pid_mode = text_field(json, "PidMode");
  out.uts_mode = text_field(json, "UTSMode");
  out.cgroupns_mode = text_field(json, "CgroupnsMode");
  out.userns_mode = text_field(json, "UsernsMode");
  out.cgroup_parent = text_field(json, "CgroupParent");
  out.runtime = text_field(json, "Runtime");
  out.sysctls = field<StringMap>(json, "Sysctls");
  out.annotations = field<StringMap>(json, "Annotations");
  out.storage_options = field<StringMap>(json, "StorageOpt");
  for (const auto& u : child(json, "Ulimits")) {
    out.ulimits.push_back(
        {text_field(u, "Name"), field<std::int64_t>(u, "Soft"), field<std::int64_t>(u, "Hard")});
  }
  for (const auto& d : child(json, "Devices")) {
    DeviceMapping device{text_field(d, "PathOnHost"), text_field(d, "PathInContainer"),
                         text_field(d, "CgroupPermissions")};
    if (device.container.empty()) device.container = device.host;
    if (device.permissions.empty()) device.permissions = "rwm";
    out.devices.push_back(std::move(device));
  }
  parse_resources(json, out.resources);
  out.isolation = text_field(json, "Isolation");
  if (!out.isolation.empty() && out.isolation != "default") {
    bad_value(fmt::format("invalid isolation ({}): linux only supports 'default'", out.isolation));
  }
  if (!child(json, "DeviceRequests").empty())
    bad_value("could not select device driver \"\" with capabilities: [[gpu]]");
  for (const char* key : {"CpuRealtimePeriod", "CpuRealtimeRuntime"}) {
    if (field<std::int64_t>(json, key) != 0)
      bad_value("kernel does not support CPU real-time scheduler");
  }
  out.shm_size = field<std::int64_t>(json, "ShmSize");
  out.oom_score_adj = field<int>(json, "OomScoreAdj");
  const Json& log = child(json, "LogConfig");
  if (const auto driver = text_field(log, "Type"); !driver.empty()) out.log.driver = driver;
  out.log.options = field<StringMap>(log, "Config");
}

}  // namespace stack::engine
