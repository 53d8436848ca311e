#include "engine/model_json.h"

#include <algorithm>

#include "engine/config_json.h"
#include "engine/json_fields.h"

namespace stack::engine {

Json healthcheck_json(const HealthcheckConfig& health) {
  Json out = Json::object();
  if (!health.test.empty()) out["Test"] = health.test;
  const auto add = [&](const char* key, Duration value) {
    if (value.count() != 0) out[key] = value.count();
  };
  add("Interval", health.interval);
  add("Timeout", health.timeout);
  add("StartPeriod", health.start_period);
  add("StartInterval", health.start_interval);
  if (health.retries != 0) out["Retries"] = health.retries;
  return out;
}

namespace {

HealthcheckConfig parse_healthcheck(const Json& json) {
  const auto duration = [&](const char* key) { return Duration(field<std::int64_t>(json, key)); };
  HealthcheckConfig out;
  out.test = field<Strings>(json, "Test");
  out.interval = duration("Interval");
  out.timeout = duration("Timeout");
  out.start_period = duration("StartPeriod");
  out.start_interval = duration("StartInterval");
  out.retries = field<int>(json, "Retries");
  return out;
}

std::optional<Strings> parse_command(const Json& json) {  // old clients may send one text
  if (json.is_null()) return std::nullopt;
  if (json.is_string()) return Strings{json.get<std::string>()};
  return json.get<Strings>();
}

}  // namespace

Json config_json(const ContainerConfig& c) {
  Json out = {{"Hostname", c.hostname},
              {"Domainname", c.domainname},
              {"User", c.user},
              {"AttachStdin", c.attach_stdin},
              {"AttachStdout", c.attach_stdout},
              {"AttachStderr", c.attach_stderr},
              {"Tty", c.tty},
              {"OpenStdin", c.open_stdin},
              {"StdinOnce", c.stdin_once},
              {"Env", or_null(c.env)},
              {"Cmd", or_null(c.cmd)},
              {"Image", c.image},
              {"Volumes", set_or_null(c.volumes)},
              {"WorkingDir", c.working_dir},
              {"Entrypoint", or_null(c.entrypoint)},
              {"OnBuild", nullptr},
              {"Labels", object_or_empty(c.labels)}};
  if (!c.exposed_ports.empty()) out["ExposedPorts"] = set_or_null(c.exposed_ports);
  if (c.healthcheck) out["Healthcheck"] = healthcheck_json(*c.healthcheck);
  if (!c.mac_address.empty()) out["MacAddress"] = c.mac_address;
  if (!c.stop_signal.empty()) out["StopSignal"] = c.stop_signal;
  if (c.stop_timeout) out["StopTimeout"] = *c.stop_timeout;
  return out;
}

void parse_config(const Json& json, ContainerConfig& out) {
  out.image = text_field(json, "Image");
  out.cmd = parse_command(child(json, "Cmd"));
  out.entrypoint = parse_command(child(json, "Entrypoint"));
  if (out.entrypoint == Strings{""}) out.entrypoint = Strings{};  // docker run --entrypoint ""
  out.env = field<Strings>(json, "Env");
  out.working_dir = text_field(json, "WorkingDir");
  out.user = text_field(json, "User");
  out.hostname = text_field(json, "Hostname");
  out.domainname = text_field(json, "Domainname");
  out.mac_address = text_field(json, "MacAddress");
  out.labels = field<StringMap>(json, "Labels");
  out.exposed_ports = key_set(child(json, "ExposedPorts"));
  // "target", or in old clients' form "source:target", which becomes a bind.
  for (const auto& volume : key_set(child(json, "Volumes"))) {
    if (volume.find(':') == std::string::npos) {
      out.volumes.insert(volume);
    } else {
      out.mounts.push_back(parse_bind(volume));
    }
  }
  out.tty = field(json, "Tty", false);
  out.open_stdin = field(json, "OpenStdin", false);
  out.stdin_once = field(json, "StdinOnce", false);
  out.attach_stdin = field(json, "AttachStdin", false);
  out.attach_stdout = field(json, "AttachStdout", false);
  out.attach_stderr = field(json, "AttachStderr", false);
  out.stop_signal = text_field(json, "StopSignal");
  out.stop_timeout = optional_field<int>(json, "StopTimeout");
  if (const Json& health = child(json, "Healthcheck"); !health.is_null())
    out.healthcheck = parse_healthcheck(health);
}

Json endpoint_json(const EndpointConfig& c) {
  Json ipam;
  if (!c.ipv4.empty() || !c.ipv6.empty() || !c.link_local_ips.empty()) {
    ipam = Json::object();
    if (!c.ipv4.empty()) ipam["IPv4Address"] = c.ipv4;
    if (!c.ipv6.empty()) ipam["IPv6Address"] = c.ipv6;
    if (!c.link_local_ips.empty()) ipam["LinkLocalIPs"] = c.link_local_ips;
  }
  Json out = {{"IPAMConfig", ipam},
              {"Links", or_null(c.links)},
              {"Aliases", or_null(c.aliases)},
              {"MacAddress", c.mac},
              {"DriverOpts", or_null(c.driver_options)},
              {"GwPriority", c.gateway_priority}};
  // Docker has the interface's name among the driver options; there it comes from and goes to.
  if (!c.interface_name.empty())
    out["DriverOpts"]["com.docker.network.endpoint.ifname"] = c.interface_name;
  return out;
}

EndpointConfig parse_endpoint(const Json& json) {
  EndpointConfig out;
  out.aliases = field<Strings>(json, "Aliases");
  out.links = field<Strings>(json, "Links");
  out.ipv4 = text_field(child(json, "IPAMConfig"), "IPv4Address");
  out.ipv6 = text_field(child(json, "IPAMConfig"), "IPv6Address");
  out.link_local_ips = field<Strings>(child(json, "IPAMConfig"), "LinkLocalIPs");
  out.mac = text_field(json, "MacAddress");
  out.gateway_priority = field<int>(json, "GwPriority");
  out.driver_options = field<StringMap>(json, "DriverOpts");
  if (const auto it = out.driver_options.find("com.docker.network.endpoint.ifname");
      it != out.driver_options.end()) {
    out.interface_name = it->second;
    out.driver_options.erase(it);
  }
  return out;
}

Result<ContainerConfig> parse_container_config(std::string_view body) {
  ContainerConfig out;
  TRY(parse_json(body, [&](const Json& json) {
    const bool empty = std::all_of(json.items().begin(), json.items().end(), [](const auto& item) {
      return item.key() == "HostConfig" || item.key() == "NetworkingConfig";
    });
    parse_config(json, out);
    parse_host_config(child(json, "HostConfig"), out);
    const Json& endpoints = child(child(json, "NetworkingConfig"), "EndpointsConfig");
    if (endpoints.is_object()) {
      for (const auto& [name, endpoint] : endpoints.items())
        out.networks[name] = parse_endpoint(endpoint);
    }
    check_config(out);
    if (empty) bad_value("config cannot be empty in order to create a container");
  }));
  return out;
}

std::string to_create_body(const ContainerConfig& config) {
  Json out = config_json(config);
  out["HostConfig"] = host_config_json(config, MountForm::kAllMounts);
  out["NetworkingConfig"]["EndpointsConfig"] = Json::object();
  for (const auto& [name, endpoint] : config.networks) {
    out["NetworkingConfig"]["EndpointsConfig"][name] = endpoint_json(endpoint);
  }
  return dump(out);
}

Result<NetworkConfig> parse_network_config(std::string_view body) {
  NetworkConfig out;
  TRY(parse_json(body, [&](const Json& json) {
    out.name = text_field(json, "Name");
    if (out.name.empty() || out.name.find_first_not_of(' ') == std::string::npos) {
      bad_value("invalid name: name is empty");
    }
    if (const auto driver = text_field(json, "Driver"); !driver.empty()) out.driver = driver;
    if (const auto scope = text_field(json, "Scope"); scope == "swarm" || scope == "global")
      bad_value("cannot create a swarm scoped network when swarm is not active");
    if (field(json, "Ingress", false))
      bad_value("Ingress network can only be global scope network");
    if (field(json, "ConfigOnly", false) ||
        !text_field(child(json, "ConfigFrom"), "Network").empty())
      bad_value(
          "networks that are only a configuration (ConfigOnly, ConfigFrom) are not supported");
    out.internal = field(json, "Internal", false);
    out.attachable = field(json, "Attachable", false);
    out.enable_ipv4 = field(json, "EnableIPv4", true);
    out.enable_ipv6 = field(json, "EnableIPv6", false);
    out.options = field<StringMap>(json, "Options");
    out.labels = field<StringMap>(json, "Labels");
    const Json& ipam = child(json, "IPAM");
    if (const auto driver = text_field(ipam, "Driver"); !driver.empty()) out.ipam_driver = driver;
    for (const auto& pool : child(ipam, "Config")) {
      IpamPool one;
      one.subnet = text_field(pool, "Subnet");
      one.gateway = text_field(pool, "Gateway");
      one.ip_range = text_field(pool, "IPRange");
      one.aux_addresses = field<StringMap>(pool, "AuxiliaryAddresses");
      // Only records say it.
      one.gateway_shown = field(pool, "GatewayShown", one.subnet.empty() || !one.gateway.empty());
      one.by_engine = field(pool, "ByEngine", false);  // only records
      out.ipam.push_back(std::move(one));
    }
  }));
  return out;
}

std::string to_network_body(const NetworkConfig& config) {
  Json pools = Json::array();
  for (const auto& pool : config.ipam) {
    Json one = {{"Subnet", pool.subnet}};
    if (!pool.gateway.empty()) one["Gateway"] = pool.gateway;
    if (!pool.ip_range.empty()) one["IPRange"] = pool.ip_range;
    if (!pool.aux_addresses.empty()) one["AuxiliaryAddresses"] = pool.aux_addresses;
    if (!pool.gateway_shown) one["GatewayShown"] = false;
    if (pool.by_engine) one["ByEngine"] = true;
    pools.push_back(std::move(one));
  }
  return dump({{"Name", config.name},
               {"Driver", config.driver},
               {"Internal", config.internal},
               {"Attachable", config.attachable},
               {"EnableIPv4", config.enable_ipv4},
               {"EnableIPv6", config.enable_ipv6},
               {"Options", config.options},
               {"Labels", config.labels},
               {"IPAM", {{"Driver", config.ipam_driver}, {"Config", pools}}}});
}

}  // namespace stack::engine
