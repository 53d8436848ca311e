// network ls, create, rm, connect and disconnect.
#include <fmt/core.h>

#include <algorithm>

#include "cli/docker/network_spec.h"
#include "cli/docker/rows.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/json_text.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kLsFlags[] = {
    {"filter", 'f', FlagType::kFilters, "Provide filter values (e.g. \"driver=bridge\")"},
    {"format", 0, FlagType::kString, kFormatUsage},
    {"no-trunc", 0, FlagType::kBool, "Do not truncate the output"},
    {"quiet", 'q', FlagType::kBool, "Only display network IDs"},
};
constexpr FlagSpec kCreateNetworkFlags[] = {
    {"attachable", 0, FlagType::kBool, "Enable manual container attachment"},
    {"aux-address", 0, FlagType::kList, "Auxiliary IPv4 or IPv6 addresses used by Network driver"},
    {"config-from", 0, FlagType::kString, "The network from which to copy the configuration"},
    {"config-only", 0, FlagType::kBool, "Create a configuration only network"},
    {"driver", 'd', FlagType::kString, "Driver to manage the Network", "bridge"},
    {"gateway", 0, FlagType::kList, "IPv4 or IPv6 Gateway for the master subnet"},
    {"ingress", 0, FlagType::kBool, "Create swarm routing-mesh network"},
    {"internal", 0, FlagType::kBool, "Restrict external access to the network"},
    {"ip-range", 0, FlagType::kList, "Allocate container ip from a sub-range"},
    {"ipam-driver", 0, FlagType::kString, "IP Address Management Driver", "default"},
    {"ipam-opt", 0, FlagType::kList, "Set IPAM driver specific options"},
    {"ipv4", 0, FlagType::kBool, "Enable or disable IPv4 address assignment", "true"},
    {"ipv6", 0, FlagType::kBool, "Enable or disable IPv6 address assignment"},
    {"label", 0, FlagType::kList, "Set metadata on a network"},
    {"opt", 'o', FlagType::kList, "Set driver specific options"},
    {"scope", 0, FlagType::kString, "Control the network's scope"},
    {"subnet", 0, FlagType::kList, "Subnet in CIDR format that represents a network segment"},
};
constexpr FlagSpec kRmFlags[] = {
    {"force", 'f', FlagType::kBool, "Do not error if the network does not exist"},
};
constexpr FlagSpec kConnectFlags[] = {
    {"alias", 0, FlagType::kList, "Add network-scoped alias for the container"},
    {"driver-opt", 0, FlagType::kList, "driver options for the network"},
    {"gw-priority", 0, FlagType::kInt, "Highest gw-priority provides the default gateway."},
    {"ip", 0, FlagType::kString, "IPv4 address (e.g., \"172.30.100.104\")"},
    {"ip6", 0, FlagType::kString, "IPv6 address (e.g., \"2001:db8::33\")"},
    {"link", 0, FlagType::kList, "Add link to another container"},
    {"link-local-ip", 0, FlagType::kList, "Add a link-local address for the container"},
};
constexpr FlagSpec kDisconnectFlags[] = {
    {"force", 'f', FlagType::kBool, "Force the container to disconnect from a network"},
};

std::string network_path(std::string_view name) {
  return fmt::format("{}/networks/{}", kApi, url_encode(name));
}

// "2026-11-24T23:33:39.15740242Z" as lists show moments: "2026-11-24 23:33:39.15740242 +0000 UTC".
std::string list_time(std::string text) {
  std::replace(text.begin(), text.end(), 'T', ' ');
  if (text.ends_with('Z')) text.replace(text.size() - 1, 1, " +0000 UTC");
  return text;
}

Result<int> ls(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  std::string target = fmt::format("{}/networks?", kApi);
  if (const std::string filters = filters_query(args.list("filter")); !filters.empty())
    target += filters.substr(1);
  const Document answer = TRY(get_document(*engine, target));
  auto networks = answer.root().items();
  std::sort(networks.begin(), networks.end(),
            [](JsonView a, JsonView b) { return a.text("Name") < b.text("Name"); });
  const auto truth = [](bool value) { return value ? "true" : "false"; };
  std::vector<Record> records;
  for (const JsonView network : networks) {
    Record& record = records.emplace_back();
    record.labels = network["Labels"].text_map();
    record.add("CreatedAt", list_time(network.text("Created")))
        .add("Driver", network.text("Driver"))
        .add("ID", args.on("no-trunc") ? network.text("Id") : short_id(network.text("Id")))
        .add("IPv4", truth(!network["EnableIPv4"].exists() || network.truth("EnableIPv4")))
        .add("IPv6", truth(network.truth("EnableIPv6")))
        .add("Internal", truth(network.truth("Internal")))
        .add("Labels", label_text(record.labels))
        .add("Name", network.text("Name"))
        .add("Scope", network.text("Scope"));
  }
  print(TRY(render_rows(
      args, "ID",
      {{"NETWORK ID", "ID"}, {"NAME", "Name"}, {"DRIVER", "Driver"}, {"SCOPE", "Scope"}},
      records)));
  return 0;
}

// --subnet, --gateway, --ip-range and --aux-address belong together by their order, as far as there
// are as many of them.
Result<std::string> ipam_json(const Arguments& args) {
  const auto subnets = comma_separated(args.list("subnet"));
  const auto gateways = comma_separated(args.list("gateway"));
  const auto ranges = comma_separated(args.list("ip-range"));
  if (subnets.size() < gateways.size() || subnets.size() < ranges.size())
    return Error::invalid("every ip-range or gateway must have a corresponding subnet")
        .fix("Give a --subnet for each, in the same order.");
  std::vector<std::string> configs;
  for (std::size_t i = 0; i < subnets.size(); ++i) {
    JsonObject config;
    config.add("Subnet", subnets[i]);
    if (i < ranges.size()) config.add("IPRange", ranges[i]);
    if (i < gateways.size()) config.add("Gateway", gateways[i]);
    if (i == 0 && args.given("aux-address"))
      config.add("AuxiliaryAddresses", pairs(args.list("aux-address")));
    configs.push_back(config.text());
  }
  JsonObject ipam;
  ipam.add("Driver", args.text("ipam-driver"));
  if (args.given("ipam-opt")) ipam.add("Options", pairs(args.list("ipam-opt")));
  ipam.add_json("Config", json_array(configs));
  return ipam.text();
}

Result<int> create(Context& context, const Arguments& args) {
  JsonObject body;
  body.add("Name", args.positional[0]).add("Driver", args.text("driver"));
  body.add("Attachable", args.on("attachable")).add("Internal", args.on("internal"));
  body.add("Ingress", args.on("ingress")).add("ConfigOnly", args.on("config-only"));
  if (args.given("scope")) body.add("Scope", args.text("scope"));
  if (args.given("config-from"))
    body.add_json("ConfigFrom", JsonObject().add("Network", args.text("config-from")).text());
  if (args.given("ipv4")) body.add("EnableIPv4", args.on("ipv4"));
  if (args.given("ipv6")) body.add("EnableIPv6", args.on("ipv6"));
  body.add_json("IPAM", TRY(ipam_json(args)));
  body.add("Options", pairs(args.list("opt"))).add("Labels", pairs(args.list("label")));
  const Engine* engine = TRY(context.engine());
  const Document answer =
      TRY(post_document(*engine, fmt::format("{}/networks/create", kApi), body.text()));
  if (const std::string warning = answer.root().text("Warning"); !warning.empty())
    context.warn(warning);
  print(answer.root().text("Id") + '\n');
  return 0;
}

Result<int> rm(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  return for_each_name(args.positional, [&](const std::string& name) -> Status {
    const auto removed = engine->http().remove(network_path(name));
    if (!removed.ok() && args.on("force") && removed.error().kind == ErrorKind::kNotFound)
      return ok_status();
    if (!removed.ok()) return removed.error();
    print(name + '\n');
    return ok_status();
  });
}

Result<int> connect(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  JsonObject body;
  body.add("Container", args.positional[1]);
  body.add_json("EndpointConfig", TRY(endpoint_json(args)));
  TRY(engine->http().post(network_path(args.positional[0]) + "/connect", body.text()));
  return 0;
}

Result<int> disconnect(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  JsonObject body;
  body.add("Container", args.positional[1]).add("Force", args.on("force"));
  TRY(engine->http().post(network_path(args.positional[0]) + "/disconnect", body.text()));
  return 0;
}

}  // namespace

constinit const Command kNetworkLs{.name = "ls",
                                   .usage = "[OPTIONS]",
                                   .summary = "List networks",
                                   .flags = kLsFlags,
                                   .run = ls,
                                   .alias = "list",
                                   .words = Words::kDocker,
                                   .max_args = 0};
constinit const Command kNetworkCreate{.name = "create",
                                       .usage = "[OPTIONS] NETWORK",
                                       .summary = "Create a network",
                                       .flags = kCreateNetworkFlags,
                                       .min_args = 1,
                                       .run = create,
                                       .words = Words::kDocker,
                                       .max_args = 1};
constinit const Command kNetworkRm{.name = "rm",
                                   .usage = "NETWORK [NETWORK...]",
                                   .summary = "Remove one or more networks",
                                   .flags = kRmFlags,
                                   .min_args = 1,
                                   .run = rm,
                                   .alias = "remove",
                                   .words = Words::kDocker};
constinit const Command kNetworkConnect{.name = "connect",
                                        .usage = "[OPTIONS] NETWORK CONTAINER",
                                        .summary = "Connect a container to a network",
                                        .flags = kConnectFlags,
                                        .min_args = 2,
                                        .run = connect,
                                        .words = Words::kDocker,
                                        .max_args = 2};
constinit const Command kNetworkDisconnect{.name = "disconnect",
                                           .usage = "[OPTIONS] NETWORK CONTAINER",
                                           .summary = "Disconnect a container from a network",
                                           .flags = kDisconnectFlags,
                                           .min_args = 2,
                                           .run = disconnect,
                                           .words = Words::kDocker,
                                           .max_args = 2};

}  // namespace stack::cli::docker
