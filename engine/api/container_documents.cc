#include <fmt/core.h>

#include "engine/api/documents.h"
#include "engine/api/text.h"
#include "engine/config_json.h"
#include "engine/json_fields.h"

namespace stack::engine::api {

namespace {

constexpr const char* kMaskedPaths[] = {
    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
constexpr const char* kReadonlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                          "/proc/sysrq-trigger"};
constexpr std::int64_t kDefaultShm = 64 << 20;

bool is_up(const Container& c) { return engine::is_up(c.status); }

std::string short_id(const Container& c) { return c.id.substr(0, 12); }

std::string network_mode(const Container& c) {
  return c.config.network_mode == "default" ? "bridge" : c.config.network_mode;
}

Json endpoint_document(const Container& c, const Endpoint& e, bool with_names) {
  Json out = endpoint_json(e.config);
  out["MacAddress"] = is_up(c) ? e.mac : e.config.mac;
  out["NetworkID"] = c.started_at ? e.network_id : "";
  out["EndpointID"] = is_up(c) ? e.id : "";
  out["Gateway"] = e.gateway4;
  out["IPAddress"] = e.ipv4;
  out["IPPrefixLen"] = e.ipv4.empty() ? 0 : e.prefix4;
  out["IPv6Gateway"] = e.gateway6;
  out["GlobalIPv6Address"] = e.ipv6;
  out["GlobalIPv6PrefixLen"] = e.ipv6.empty() ? 0 : e.prefix6;
  out["DNSNames"] = nullptr;
  if (!with_names) out["Aliases"] = nullptr;  // lists leave them out
  if (with_names && c.started_at && e.network_name != "bridge" && e.network_name != "host" &&
      e.network_name != "none") {
    Strings names{c.name};
    for (const auto& alias : e.config.aliases) names.push_back(alias);
    names.push_back(short_id(c));
    Strings unique;
    for (auto& name : names) {
      if (std::find(unique.begin(), unique.end(), name) == unique.end())
        unique.push_back(std::move(name));
    }
    out["DNSNames"] = unique;
  }
  return out;
}

Json networks_json(const Container& c, bool with_names) {
  Json out = Json::object();
  for (const auto& endpoint : c.endpoints)
    out[endpoint.network_name] = endpoint_document(c, endpoint, with_names);
  // The host's namespace and an empty one have no endpoints; one that was taken from all its networks
  // has none left.
  const std::string mode = network_mode(c);
  if (mode == "host" || mode == "none") {
    Endpoint own;
    own.network_name = mode;
    if (const auto asked = c.config.networks.find(mode); asked != c.config.networks.end())
      own.config = asked->second;
    out[mode] = endpoint_document(c, own, with_names);
  }
  return out;
}

std::set<std::string> unpublished(const Container& c) {
  auto ports = c.config.exposed_ports;
  for (const auto& port : c.ports)
    ports.erase(fmt::format("{}/{}", port.container_port, port.protocol));
  return ports;
}

Json list_ports(const Container& c) {
  Json out = Json::array();
  if (!is_up(c)) return out;
  for (const auto& port : c.ports) {
    out.push_back({{"IP", port.host_ip},
                   {"PrivatePort", port.container_port},
                   {"PublicPort", port.host_port},
                   {"Type", port.protocol}});
  }
  for (const auto& exposed : unpublished(c)) {
    const auto slash = exposed.find('/');
    const auto protocol = slash == std::string::npos ? "tcp" : exposed.substr(slash + 1);
    out.push_back({{"PrivatePort", std::atoi(exposed.c_str())}, {"Type", protocol}});
  }
  return out;
}

Json port_map(const Container& c) {
  Json out = Json::object();
  if (!is_up(c)) return out;
  for (const auto& port : c.ports) {
    out[fmt::format("{}/{}", port.container_port, port.protocol)].push_back(
        {{"HostIp", port.host_ip}, {"HostPort", std::to_string(port.host_port)}});
  }
  for (const auto& exposed : unpublished(c)) out[exposed] = nullptr;
  return out;
}

Json state_json(const Container& c) {
  const bool restarting = c.status == RunState::kRestarting;
  Json out = {{"Status", to_string(c.status)},
              {"Running", is_up(c) || restarting},
              {"Paused", c.status == RunState::kPaused},
              {"Restarting", restarting},
              {"OOMKilled", c.oom_killed},
              {"Dead", c.status == RunState::kDead},
              {"Pid", is_up(c) ? c.pid : 0},
              {"ExitCode", c.exit_code},
              {"Error", c.error},
              {"StartedAt", go_time(c.started_at)},
              {"FinishedAt", go_time(c.finished_at)}};
  if (c.health.status == HealthStatus::kNone) return out;
  Json log = Json::array();
  for (const auto& probe : c.health.log) {
    log.push_back({{"Start", go_time(probe.start)},
                   {"End", go_time(probe.end)},
                   {"ExitCode", probe.exit_code},
                   {"Output", probe.output}});
  }
  out["Health"] = {{"Status", to_string(c.health.status)},
                   {"FailingStreak", c.health.failing_streak},
                   {"Log", log}};
  return out;
}

// What was left open is shown as the engine decided it.
Json shown_host_config(const Container& c) {
  Json out = host_config_json(c.config, MountForm::kDocker);
  out["NetworkMode"] = network_mode(c);
  if (c.config.restart_policy.empty()) out["RestartPolicy"]["Name"] = "no";
  if (c.config.shm_size == 0) out["ShmSize"] = kDefaultShm;
  if (c.config.ipc_mode.empty()) out["IpcMode"] = "private";
  if (c.config.cgroupns_mode.empty()) out["CgroupnsMode"] = "private";
  if (c.config.runtime.empty()) out["Runtime"] = "runc";
  const auto& limits = c.config.resources;
  if (limits.memory > 0 && limits.memory_swap == 0) out["MemorySwap"] = 2 * limits.memory;
  if (!c.config.masked_paths && !c.config.privileged) out["MaskedPaths"] = kMaskedPaths;
  if (!c.config.readonly_paths && !c.config.privileged) out["ReadonlyPaths"] = kReadonlyPaths;
  return out;
}

Json network_settings(const Container& c) {
  const bool own_network = is_up(c) && c.config.network_mode.rfind("container:", 0) != 0;
  Json out = {{"Bridge", ""},
              {"SandboxID", own_network ? c.id : ""},
              {"SandboxKey", own_network ? fmt::format("/proc/{}/ns/net", c.pid) : ""},
              {"Ports", port_map(c)},
              {"HairpinMode", false},
              {"LinkLocalIPv6Address", ""},
              {"LinkLocalIPv6PrefixLen", 0},
              {"SecondaryIPAddresses", nullptr},
              {"SecondaryIPv6Addresses", nullptr},
              {"Networks", networks_json(c, true)}};
  // The members from before there were networks speak of the default bridge alone.
  Endpoint none;
  const Endpoint* bridge = &none;
  for (const auto& endpoint : c.endpoints) {
    if (endpoint.network_name == "bridge") bridge = &endpoint;
  }
  const Json document = endpoint_document(c, *bridge, false);
  for (const char* key : {"EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen",
                          "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress"}) {
    out[key] = document[key];
  }
  return out;
}

Json stack_json(const Container& c) {
  return {{"RestartReason", c.restart_reason}, {"RestartCount", c.restart_count}};
}

}  // namespace

namespace {
// What stood behind the second colon, with Docker's "z" for a volume that the client named.
std::string mount_mode(const MountPoint& mount) {
  if (mount.config.type == "volume") {
    if (mount.config.read_only) return "ro";
    return mount.config.source.empty() ? "" : "z";
  }
  const bool short_form = mount.config.type == "bind" && mount.config.create_host_path;
  return short_form && mount.config.read_only ? "ro" : "";
}
}  // namespace

Json mount_points_json(const Container& c) {
  Json out = Json::array();
  for (const auto& mount : c.mounts) {
    if (mount.config.is_plain_tmpfs()) continue;  // they are shown in HostConfig.Tmpfs alone
    const bool is_volume = mount.config.type == "volume";
    Json one = {{"Type", mount.config.type},
                {"Source", mount.config.type == "tmpfs" ? "" : mount.host_path},
                {"Destination", mount.config.target},
                {"Mode", mount_mode(mount)},
                {"RW", !mount.config.read_only},
                {"Propagation", mount.config.type == "bind" && mount.config.propagation.empty()
                                    ? "rprivate"
                                    : mount.config.propagation}};
    if (is_volume) {
      one["Name"] = mount.volume;
      one["Driver"] = mount.config.volume_driver.empty() ? "local" : mount.config.volume_driver;
    }
    out.push_back(std::move(one));
  }
  return out;
}

Json container_entry(const Container& c, WallTime now, const std::optional<ContainerSizes>& sizes) {
  Json out = {{"Id", c.id},
              {"Names", Json::array({"/" + c.name})},
              {"Image", c.config.image},
              {"ImageID", c.image_id},
              {"Command", command_text(c)},
              {"Created", to_nanoseconds(c.created) / 1'000'000'000},
              {"Ports", list_ports(c)},
              {"Labels", object_or_empty(c.config.labels)},
              {"State", to_string(c.status)},
              {"Status", status_text(c, now)},
              {"HostConfig", {{"NetworkMode", network_mode(c)}}},
              {"NetworkSettings", {{"Networks", networks_json(c, false)}}},
              {"Mounts", mount_points_json(c)},
              {"Stack", stack_json(c)}};
  if (sizes) {
    if (sizes->writable > 0) out["SizeRw"] = sizes->writable;
    out["SizeRootFs"] = sizes->root;
  }
  return out;
}

Json container_document(const Container& c, const Paths& paths,
                        const std::optional<ContainerSizes>& sizes) {
  const auto directory = paths.root / "containers" / c.id;
  const auto file = [&](const std::string& name) { return (directory / name).string(); };
  const bool started = c.started_at.has_value() || !c.error.empty();
  Json config = config_json(c.config);
  if (c.config.hostname.empty()) config["Hostname"] = short_id(c);
  Json out = {{"Id", c.id},
              {"Created", go_time(c.created)},
              {"Path", c.path},
              {"Args", c.args},
              {"State", state_json(c)},
              {"Image", c.image_id},
              {"ResolvConfPath", started ? file("resolv.conf") : ""},
              {"HostnamePath", started ? file("hostname") : ""},
              {"HostsPath", started ? file("hosts") : ""},
              {"LogPath", started ? file(c.id + "-json.log") : ""},
              {"Name", "/" + c.name},
              {"RestartCount", c.restart_count},
              {"Driver", "overlay2"},
              {"Platform", "linux"},
              {"MountLabel", ""},
              {"ProcessLabel", ""},
              {"AppArmorProfile", ""},
              {"ExecIDs", nullptr},
              {"HostConfig", shown_host_config(c)},
              {"GraphDriver", {{"Name", "overlay2"}}},
              {"Mounts", mount_points_json(c)},
              {"Config", config},
              {"NetworkSettings", network_settings(c)},
              {"Stack", stack_json(c)}};
  out["GraphDriver"]["Data"] = {{"ID", c.id},
                                {"LowerDir", (paths.root / "images").string()},
                                {"MergedDir", file("merged")},
                                {"UpperDir", file("upper")},
                                {"WorkDir", file("work")}};
  if (sizes) {
    out["SizeRw"] = sizes->writable;
    out["SizeRootFs"] = sizes->root;
  }
  return out;
}

}  // namespace stack::engine::api
