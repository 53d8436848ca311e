// Records: the create body without the checks (it was checked when it came, and has been merged
// with the image since) and, beside it, what has happened.
#include "engine/config_json.h"
#include "engine/json_fields.h"
#include "engine/model_json.h"

namespace stack::engine {

namespace {

Json time_json(const std::optional<WallTime>& time) {
  return time ? Json(to_nanoseconds(*time)) : Json();
}
std::optional<WallTime> parse_time(const Json& object, const char* key) {
  const auto ns = optional_field<std::int64_t>(object, key);
  if (!ns) return std::nullopt;
  return from_nanoseconds(*ns);
}
WallTime parse_time_or_epoch(const Json& object, const char* key) {
  return from_nanoseconds(field<std::int64_t>(object, key));
}

RunState parse_state(const std::string& text) {
  for (const auto state : {RunState::kCreated, RunState::kRunning, RunState::kPaused,
                           RunState::kRestarting, RunState::kRemoving, RunState::kExited}) {
    if (text == to_string(state)) return state;
  }
  return RunState::kDead;
}

HealthStatus parse_health(const std::string& text) {
  for (const auto health :
       {HealthStatus::kStarting, HealthStatus::kHealthy, HealthStatus::kUnhealthy}) {
    if (text == to_string(health)) return health;
  }
  return HealthStatus::kNone;
}

Json config_record(const ContainerConfig& config) {
  Json out = config_json(config);
  out["HostConfig"] = host_config_json(config, MountForm::kAllMounts);
  for (const auto& [name, endpoint] : config.networks)
    out["Networks"][name] = endpoint_json(endpoint);
  return out;
}

ContainerConfig parse_config_record(const Json& json) {
  ContainerConfig out;
  parse_config(json, out);
  parse_host_config(child(json, "HostConfig"), out);
  if (const Json& networks = child(json, "Networks"); networks.is_object()) {
    for (const auto& [name, endpoint] : networks.items())
      out.networks[name] = parse_endpoint(endpoint);
  }
  return out;
}

Json health_record(const HealthState& health) {
  Json log = Json::array();
  for (const auto& probe : health.log) {
    log.push_back({{"Start", to_nanoseconds(probe.start)},
                   {"End", to_nanoseconds(probe.end)},
                   {"ExitCode", probe.exit_code},
                   {"Output", probe.output}});
  }
  return {
      {"Status", to_string(health.status)}, {"FailingStreak", health.failing_streak}, {"Log", log}};
}

HealthState parse_health_record(const Json& json) {
  HealthState out;
  out.status = parse_health(text_field(json, "Status"));
  out.failing_streak = field<int>(json, "FailingStreak");
  for (const auto& probe : child(json, "Log")) {
    out.log.push_back({parse_time_or_epoch(probe, "Start"), parse_time_or_epoch(probe, "End"),
                       field<int>(probe, "ExitCode"), text_field(probe, "Output")});
  }
  return out;
}

Json endpoint_record(const Endpoint& e) {
  return {{"Id", e.id},
          {"NetworkId", e.network_id},
          {"NetworkName", e.network_name},
          {"IPv4", e.ipv4},
          {"IPv6", e.ipv6},
          {"Prefix4", e.prefix4},
          {"Prefix6", e.prefix6},
          {"Gateway4", e.gateway4},
          {"Gateway6", e.gateway6},
          {"Mac", e.mac},
          {"Interface", e.interface},
          {"HostVeth", e.host_veth},
          {"Config", endpoint_json(e.config)}};
}

Endpoint parse_endpoint_record(const Json& json) {
  Endpoint out;
  out.id = text_field(json, "Id");
  out.network_id = text_field(json, "NetworkId");
  out.network_name = text_field(json, "NetworkName");
  out.config = parse_endpoint(child(json, "Config"));
  out.ipv4 = text_field(json, "IPv4");
  out.ipv6 = text_field(json, "IPv6");
  out.prefix4 = field<int>(json, "Prefix4");
  out.prefix6 = field<int>(json, "Prefix6");
  out.gateway4 = text_field(json, "Gateway4");
  out.gateway6 = text_field(json, "Gateway6");
  out.mac = text_field(json, "Mac");
  out.interface = text_field(json, "Interface");
  out.host_veth = text_field(json, "HostVeth");
  return out;
}

// The mount itself is written as the only one of a container, so that one place knows a mount's
// members.
Json mount_point_record(const MountPoint& point) {
  ContainerConfig only;
  only.mounts.push_back(point.config);
  Json host_config;
  mounts_to_json(only, MountForm::kAllMounts, host_config);
  return {{"Config", host_config["Mounts"]},
          {"Volume", point.volume},
          {"HostPath", point.host_path},
          {"Anonymous", point.anonymous}};
}

MountPoint parse_mount_point_record(const Json& json) {
  ContainerConfig only;
  parse_mounts({{"Mounts", child(json, "Config")}}, only);
  MountPoint out;
  if (!only.mounts.empty()) out.config = std::move(only.mounts.front());
  out.volume = text_field(json, "Volume");
  out.host_path = text_field(json, "HostPath");
  out.anonymous = field(json, "Anonymous", false);
  return out;
}

}  // namespace

std::string to_record(const Container& c) {
  Json out = {{"Id", c.id},
              {"Name", c.name},
              {"Config", config_record(c.config)},
              {"ImageId", c.image_id},
              {"Path", c.path},
              {"Args", c.args},
              {"Created", to_nanoseconds(c.created)},
              {"Status", to_string(c.status)},
              {"Pid", c.pid},
              {"ExitCode", c.exit_code},
              {"OOMKilled", c.oom_killed},
              {"Error", c.error},
              {"StartedAt", time_json(c.started_at)},
              {"FinishedAt", time_json(c.finished_at)},
              {"ExitSeen", c.exit_seen},
              {"RestartCount", c.restart_count},
              {"ManuallyStopped", c.manually_stopped},
              {"RestartReason", c.restart_reason},
              {"Standby", c.standby},
              {"Health", health_record(c.health)}};
  for (const auto& endpoint : c.endpoints) out["Endpoints"].push_back(endpoint_record(endpoint));
  for (const auto& mount : c.mounts) out["MountPoints"].push_back(mount_point_record(mount));
  for (const auto& port : c.ports) {
    out["Ports"].push_back({{"ContainerPort", port.container_port},
                            {"HostPort", port.host_port},
                            {"Protocol", port.protocol},
                            {"HostIp", port.host_ip}});
  }
  return dump(out);
}

Result<Container> parse_container_record(std::string_view text) {
  Container out;
  TRY(parse_json(text, [&](const Json& json) {
    out.id = text_field(json, "Id");
    out.name = text_field(json, "Name");
    out.config = parse_config_record(child(json, "Config"));
    out.image_id = text_field(json, "ImageId");
    out.path = text_field(json, "Path");
    out.args = field<Strings>(json, "Args");
    out.created = parse_time_or_epoch(json, "Created");
    out.status = parse_state(text_field(json, "Status"));
    out.pid = field<int>(json, "Pid");
    out.exit_code = field<int>(json, "ExitCode");
    out.oom_killed = field(json, "OOMKilled", false);
    out.error = text_field(json, "Error");
    out.started_at = parse_time(json, "StartedAt");
    out.finished_at = parse_time(json, "FinishedAt");
    out.exit_seen = field(json, "ExitSeen", false);
    out.restart_count = field<int>(json, "RestartCount");
    out.manually_stopped = field(json, "ManuallyStopped", false);
    out.restart_reason = text_field(json, "RestartReason");
    out.standby = field(json, "Standby", false);
    out.health = parse_health_record(child(json, "Health"));
    for (const auto& endpoint : child(json, "Endpoints"))
      out.endpoints.push_back(parse_endpoint_record(endpoint));
    for (const auto& mount : child(json, "MountPoints"))
      out.mounts.push_back(parse_mount_point_record(mount));
    for (const auto& port : child(json, "Ports")) {
      out.ports.push_back({field<int>(port, "ContainerPort"), field<int>(port, "HostPort"),
                           text_field(port, "Protocol"), text_field(port, "HostIp")});
    }
  }));
  return out;
}

std::string to_record(const Network& network) {
  Json out = Json::parse(to_network_body(network.config));
  out["Id"] = network.id;
  out["Created"] = to_nanoseconds(network.created);
  out["Bridge"] = network.bridge;
  out["BridgeByUser"] = network.bridge_by_user;
  out["Predefined"] = network.predefined;
  return dump(out);
}

Result<Network> parse_network_record(std::string_view text) {
  Network out;
  out.config = TRY(parse_network_config(text));
  TRY(parse_json(text, [&](const Json& json) {
    out.id = text_field(json, "Id");
    out.created = parse_time_or_epoch(json, "Created");
    out.bridge = text_field(json, "Bridge");
    out.bridge_by_user = field(json, "BridgeByUser", false);
    out.predefined = field(json, "Predefined", false);
  }));
  return out;
}

std::string to_record(const Volume& volume) {
  return dump({{"Name", volume.name},
               {"Driver", volume.driver},
               {"Mountpoint", volume.mountpoint},
               {"Options", volume.options},
               {"Labels", volume.labels},
               {"Anonymous", volume.anonymous},
               {"Created", to_nanoseconds(volume.created)}});
}

Result<Volume> parse_volume_record(std::string_view text) {
  Volume out;
  TRY(parse_json(text, [&](const Json& json) {
    out.name = text_field(json, "Name");
    out.driver = text_field(json, "Driver");
    out.mountpoint = text_field(json, "Mountpoint");
    out.options = field<StringMap>(json, "Options");
    out.labels = field<StringMap>(json, "Labels");
    out.anonymous = field(json, "Anonymous", false);
    out.created = parse_time_or_epoch(json, "Created");
  }));
  return out;
}

}  // namespace stack::engine
