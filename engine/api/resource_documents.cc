#include <fmt/core.h>

#include "engine/api/documents.h"
#include "engine/api/text.h"
#include "engine/json_fields.h"
#include "images/layer_store.h"

namespace stack::engine::api {

Json network_document(const Network& network, const std::vector<const Container*>& containers) {
  const auto& config = network.config;
  Json pools;
  for (const auto& pool : config.ipam) {
    Json one = {{"Subnet", pool.subnet}};
    if (!pool.gateway.empty() && pool.gateway_shown) one["Gateway"] = pool.gateway;
    if (!pool.ip_range.empty()) one["IPRange"] = pool.ip_range;
    if (!pool.aux_addresses.empty()) one["AuxiliaryAddresses"] = pool.aux_addresses;
    pools.push_back(std::move(one));
  }
  Json out = {{"Name", config.name},
              {"Id", network.id},
              {"Created", go_time(network.created)},
              {"Scope", "local"},
              {"Driver", config.driver == "none" ? "null" : config.driver},
              {"EnableIPv4", config.enable_ipv4},
              {"EnableIPv6", config.enable_ipv6},
              {"IPAM", {{"Driver", config.ipam_driver}, {"Options", nullptr}, {"Config", pools}}},
              {"Internal", config.internal},
              {"Attachable", config.attachable},
              {"Ingress", false},
              {"ConfigFrom", {{"Network", ""}}},
              {"ConfigOnly", false},
              {"Containers", Json::object()},
              {"Options", object_or_empty(config.options)},
              {"Labels", object_or_empty(config.labels)}};
  if (network.predefined && config.driver == "bridge") {
    out["Options"] = {{"com.docker.network.bridge.default_bridge", "true"},
                      {"com.docker.network.bridge.enable_icc", "true"},
                      {"com.docker.network.bridge.enable_ip_masquerade", "true"},
                      {"com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"},
                      {"com.docker.network.bridge.name", network.bridge},
                      {"com.docker.network.driver.mtu", "1500"}};
  }
  for (const auto* c : containers) {
    if (c->status != RunState::kRunning && c->status != RunState::kPaused) continue;
    for (const auto& e : c->endpoints) {
      if (e.network_id != network.id) continue;
      const auto with_prefix = [](const std::string& address, int prefix) {
        return address.empty() ? std::string() : fmt::format("{}/{}", address, prefix);
      };
      out["Containers"][c->id] = {{"Name", c->name},
                                  {"EndpointID", e.id},
                                  {"MacAddress", e.mac},
                                  {"IPv4Address", with_prefix(e.ipv4, e.prefix4)},
                                  {"IPv6Address", with_prefix(e.ipv6, e.prefix6)}};
    }
  }
  return out;
}

Json volume_document(const Volume& volume) {
  Json labels = or_null(volume.labels);
  if (volume.anonymous) labels["com.docker.volume.anonymous"] = "";
  return {
      {"CreatedAt", go_time(WallTime(std::chrono::floor<std::chrono::seconds>(volume.created)))},
      {"Driver", volume.driver},
      {"Labels", labels},
      {"Mountpoint", volume.mountpoint},
      {"Name", volume.name},
      {"Options", or_null(volume.options)},
      {"Scope", "local"}};
}

Json image_entry(const images::Image& image, int containers) {
  return {{"Containers", containers},
          {"Created", to_nanoseconds(image.created) / 1'000'000'000},
          {"Id", image.id},
          {"Labels", or_null(image.config.labels)},
          {"ParentId", image.parent},
          {"RepoDigests", image.repo_digests},
          {"RepoTags", image.repo_tags},
          {"SharedSize", -1},
          {"Size", image.size}};
}

namespace {

Json image_config_json(const images::ImageConfig& c) {
  Json out = {{"Cmd", or_null(c.cmd)},
              {"Entrypoint", or_null(c.entrypoint)},
              {"Env", or_null(c.env)},
              {"Labels", or_null(c.labels)},
              {"OnBuild", or_null(c.on_build)},
              {"User", c.user},
              {"Volumes", set_or_null(c.volumes)},
              {"WorkingDir", c.working_dir}};
  if (!c.exposed_ports.empty()) out["ExposedPorts"] = set_or_null(c.exposed_ports);
  if (!c.stop_signal.empty()) out["StopSignal"] = c.stop_signal;
  if (!c.shell.empty()) out["Shell"] = c.shell;
  if (c.args_escaped) out["ArgsEscaped"] = true;
  if (c.healthcheck) {
    Json health = Json::object();
    if (!c.healthcheck->test.empty()) health["Test"] = c.healthcheck->test;
    const auto add = [&](const char* key, Duration value) {
      if (value.count() != 0) health[key] = value.count();
    };
    add("Interval", c.healthcheck->interval);
    add("Timeout", c.healthcheck->timeout);
    add("StartPeriod", c.healthcheck->start_period);
    add("StartInterval", c.healthcheck->start_interval);
    if (c.healthcheck->retries != 0) health["Retries"] = c.healthcheck->retries;
    out["Healthcheck"] = health;
  }
  return out;
}

}  // namespace

Json image_document(const images::Image& image, const std::vector<std::filesystem::path>& layers) {
  Json data;
  if (!layers.empty()) {
    std::string lower;
    for (std::size_t i = 1; i < layers.size(); ++i)
      lower += (lower.empty() ? "" : ":") + layers[i].string();
    data = {{"MergedDir", layers.front().string()},
            {"UpperDir", layers.front().string()},
            {"WorkDir", ""}};
    if (!lower.empty()) data["LowerDir"] = lower;
  }
  Json out = {{"Id", image.id},
              {"RepoTags", image.repo_tags},
              {"RepoDigests", image.repo_digests},
              {"Parent", image.parent},
              {"Comment", image.config.history.empty() ? "" : image.config.history.back().comment},
              {"Created", image.config.created},
              {"DockerVersion", ""},
              {"Author", image.config.author},
              {"Architecture", image.config.architecture},
              {"Os", image.config.os},
              {"Size", image.size},
              {"GraphDriver", {{"Data", data}, {"Name", "overlay2"}}},
              {"RootFS", {{"Type", "layers"}}},
              {"Metadata", {{"LastTagTime", go_time(image.last_tagged)}}},
              {"Config", image_config_json(image.config)}};
  if (!image.config.diff_ids.empty()) out["RootFS"]["Layers"] = image.config.diff_ids;
  if (!image.config.variant.empty()) out["Variant"] = image.config.variant;
  return out;
}

Json image_history(const images::Image& image, const std::vector<images::LayerRecord>& layers,
                   const std::vector<images::Image>& ancestors) {
  Json out = Json::array();
  std::size_t layer = 0;
  for (const auto& step : image.config.history) {
    const bool has_layer = !step.empty_layer && layer < layers.size();
    const auto size = has_layer ? layers[layer++].size : 0;
    out.push_back({{"Comment", step.comment},
                   {"Created", to_nanoseconds(images::parse_rfc3339(step.created)) / 1'000'000'000},
                   {"CreatedBy", step.created_by},
                   {"Id", "<missing>"},
                   {"Size", size},
                   {"Tags", nullptr}});
  }
  const auto name = [&](const images::Image& one) {
    const auto steps = one.config.history.size();
    if (steps == 0 || steps > out.size()) return;
    out[steps - 1]["Id"] = one.id;
    out[steps - 1]["Tags"] = or_null(one.repo_tags);
  };
  for (const auto& ancestor : ancestors) name(ancestor);
  name(image);
  std::reverse(out.begin(), out.end());
  return out;
}

Json event_json(const Event& event) {
  Json out = {{"Type", event.type},
              {"Action", event.action},
              {"Actor", {{"ID", event.id}, {"Attributes", event.attributes}}},
              {"scope", "local"},
              {"time", to_nanoseconds(event.time) / 1'000'000'000},
              {"timeNano", to_nanoseconds(event.time)}};
  // The members from before events had types.
  if (event.type == "container" || event.type == "image") {
    out["status"] = event.action;
    out["id"] = event.id;
    const auto image = event.attributes.find("image");
    if (event.type == "container" && image != event.attributes.end()) out["from"] = image->second;
  }
  return out;
}

}  // namespace stack::engine::api
