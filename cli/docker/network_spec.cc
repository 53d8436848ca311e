#include "cli/docker/network_spec.h"

#include <fmt/core.h>

#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "cli/docker/csv.h"
#include "cli/docker/support.h"
#include "cli/json_text.h"

namespace stack::cli::docker {

namespace {

struct Endpoint {
  std::string target;
  std::vector<std::string> aliases;
  std::vector<std::string> links;
  std::string ip;
  std::string ip6;
  std::vector<std::string> link_local_ips;
  std::string mac;
  std::map<std::string, std::string> driver_options;
  std::optional<long> gateway_priority;

  bool user_defined() const {
    return target != "default" && target != "bridge" && target != "host" && target != "none" &&
           !target.starts_with("container:");
  }

  std::string json() const {
    JsonObject out;
    JsonObject ipam;
    if (!ip.empty()) ipam.add("IPv4Address", ip);
    if (!ip6.empty()) ipam.add("IPv6Address", ip6);
    if (!link_local_ips.empty()) ipam.add("LinkLocalIPs", link_local_ips);
    if (!ipam.empty()) out.add_json("IPAMConfig", ipam.text());
    if (!links.empty()) out.add("Links", links);
    if (!aliases.empty()) out.add("Aliases", aliases);
    if (!driver_options.empty()) out.add("DriverOpts", driver_options);
    if (!mac.empty()) out.add("MacAddress", mac);
    if (gateway_priority) out.add("GwPriority", static_cast<std::int64_t>(*gateway_priority));
    return out.text();
  }
};

Result<Endpoint> endpoint_of(const std::string& text) {
  Endpoint out;
  if (text.find('=') == std::string::npos) {
    out.target = text;
    return out;
  }
  for (const CsvField& field : TRY(csv_fields("network", text))) {
    if (!field.has_value)
      return wrong_flag("network", text, fmt::format("invalid field {}", field.key));
    if (field.key == "name") {
      out.target = field.value;
    } else if (field.key == "alias") {
      out.aliases.push_back(field.value);
    } else if (field.key == "ip") {
      out.ip = field.value;
    } else if (field.key == "ip6") {
      out.ip6 = field.value;
    } else if (field.key == "mac-address") {
      out.mac = field.value;
    } else if (field.key == "link-local-ip") {
      out.link_local_ips.push_back(field.value);
    } else if (field.key == "driver-opt") {
      out.driver_options.merge(pairs({field.value}));
    } else if (field.key == "gw-priority") {
      long value = 0;
      const auto [end, ec] =
          std::from_chars(field.value.data(), field.value.data() + field.value.size(), value);
      if (ec != std::errc() || *end != '\0')
        return wrong_flag("network", text, fmt::format("invalid gw-priority ({})", field.value));
      out.gateway_priority = value;
    } else {
      return wrong_flag("network", text, fmt::format("invalid field key {}", field.key));
    }
  }
  if (out.target.empty()) return wrong_flag("network", text, "network name is required");
  return out;
}

// The flags beside --network are about the first network.
Status apply_flags(const Arguments& args, Endpoint& first) {
  const auto conflict = [](std::string_view flag, std::string_view what) {
    return Error::invalid(fmt::format(
        "conflicting options: cannot specify both --{} and per-network {}", flag, what));
  };
  auto aliases = args.list("network-alias");
  const auto old_aliases = args.list("net-alias");
  aliases.insert(aliases.end(), old_aliases.begin(), old_aliases.end());
  if (!aliases.empty()) {
    if (!first.aliases.empty()) return conflict("network-alias", "alias");
    first.aliases = aliases;
  }
  if (args.given("ip")) {
    if (!first.ip.empty()) return conflict("ip", "IPv4 address");
    first.ip = args.text("ip");
  }
  if (args.given("ip6")) {
    if (!first.ip6.empty()) return conflict("ip6", "IPv6 address");
    first.ip6 = args.text("ip6");
  }
  if (args.given("mac-address")) {
    if (!first.mac.empty()) return conflict("mac-address", "MAC address");
    first.mac = args.text("mac-address");
  }
  if (const auto locals = args.list("link-local-ip"); !locals.empty()) {
    if (!first.link_local_ips.empty()) return conflict("link-local-ip", "link-local IP address");
    first.link_local_ips = locals;
  }
  if (first.user_defined()) first.links = args.list("link");
  if (!first.user_defined() && !first.aliases.empty()) {
    return Error::invalid("network-scoped aliases are only supported for user-defined networks")
        .fix("Create one with `stack network create NAME` and use --network NAME.");
  }
  return ok_status();
}

}  // namespace

Result<NetworkSpec> network_spec(const Arguments& args) {
  std::vector<Endpoint> endpoints;
  for (const char* flag : {"network", "net"}) {
    for (const std::string& text : args.list(flag)) endpoints.push_back(TRY(endpoint_of(text)));
  }
  const bool plain = endpoints.empty();
  if (plain) endpoints.emplace_back().target = "default";
  TRY(apply_flags(args, endpoints[0]));
  NetworkSpec out;
  out.mode = endpoints[0].target;
  JsonObject configs;
  std::map<std::string, bool> seen;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoints.size() > 1 && !endpoint.user_defined()) {
      return Error::invalid(
          "conflicting options: cannot attach both user-defined and non-user-defined "
          "network-modes");
    }
    if (std::exchange(seen[endpoint.target], true)) {
      return Error::invalid(
          fmt::format("network \"{}\" is specified multiple times", endpoint.target));
    }
    const std::string json = endpoint.json();
    if (endpoint.user_defined() || json != "{}") configs.add_json(endpoint.target, json);
  }
  if (!configs.empty()) out.endpoints_config = configs.text();
  return out;
}

Result<std::string> endpoint_json(const Arguments& args) {
  Endpoint out;
  out.aliases = comma_separated(args.list("alias"));
  out.links = args.list("link");
  out.ip = args.text("ip");
  out.ip6 = args.text("ip6");
  out.link_local_ips = comma_separated(args.list("link-local-ip"));
  out.driver_options = pairs(comma_separated(args.list("driver-opt")));
  if (args.given("gw-priority")) out.gateway_priority = args.number("gw-priority");
  return out.json();
}

}  // namespace stack::cli::docker
