#include "images/image_config.h"

#include <sys/utsname.h>
#include <time.h>

#include <cstdio>
#include <nlohmann/json.hpp>

namespace stack::images {
namespace {

using nlohmann::json;

// nlohmann throws on a wrong type; parse() turns that into an Error.
template <typename T>
void take(json& object, const char* key, T& out) {
  const auto it = object.find(key);
  if (it == object.end()) return;
  if (!it->is_null()) out = it->get<T>();
  object.erase(it);
}

template <typename T>
void take(json& object, const char* key, std::optional<T>& out) {
  const auto it = object.find(key);
  if (it == object.end()) return;
  if (!it->is_null()) out = it->get<T>();
  object.erase(it);
}

std::set<std::string> take_keys(json& object, const char* key) {
  std::set<std::string> out;
  const auto it = object.find(key);
  if (it == object.end()) return out;
  if (it->is_object()) {
    for (const auto& [name, unused] : it->items()) out.insert(name);
  }
  object.erase(it);
  return out;
}

Duration nanoseconds(json& object, const char* key) {
  std::int64_t count = 0;
  take(object, key, count);
  return Duration(count);
}

Healthcheck parse_healthcheck(json value) {
  Healthcheck out;
  take(value, "Test", out.test);
  out.interval = nanoseconds(value, "Interval");
  out.timeout = nanoseconds(value, "Timeout");
  out.start_period = nanoseconds(value, "StartPeriod");
  out.start_interval = nanoseconds(value, "StartInterval");
  take(value, "Retries", out.retries);
  return out;
}

json healthcheck_json(const Healthcheck& check) {
  json out = json::object();
  if (!check.test.empty()) out["Test"] = check.test;
  if (check.interval.count() != 0) out["Interval"] = check.interval.count();
  if (check.timeout.count() != 0) out["Timeout"] = check.timeout.count();
  if (check.start_period.count() != 0) out["StartPeriod"] = check.start_period.count();
  if (check.start_interval.count() != 0) out["StartInterval"] = check.start_interval.count();
  if (check.retries != 0) out["Retries"] = check.retries;
  return out;
}

void parse_config(json config, ImageConfig& out) {
  take(config, "Env", out.env);
  take(config, "Entrypoint", out.entrypoint);
  take(config, "Cmd", out.cmd);
  take(config, "WorkingDir", out.working_dir);
  take(config, "User", out.user);
  out.exposed_ports = take_keys(config, "ExposedPorts");
  out.volumes = take_keys(config, "Volumes");
  take(config, "Labels", out.labels);
  take(config, "StopSignal", out.stop_signal);
  std::optional<json> healthcheck;
  take(config, "Healthcheck", healthcheck);
  if (healthcheck) out.healthcheck = parse_healthcheck(*healthcheck);
  take(config, "Shell", out.shell);
  take(config, "OnBuild", out.on_build);
  take(config, "ArgsEscaped", out.args_escaped);
  if (!config.empty()) out.unknown_config = config.dump();
}

json keys_json(const std::set<std::string>& keys) {
  json out = json::object();
  for (const std::string& key : keys) out[key] = json::object();
  return out;
}

json config_json(const ImageConfig& config) {
  json out = config.unknown_config.empty() ? json::object() : json::parse(config.unknown_config);
  if (!config.env.empty()) out["Env"] = config.env;
  if (config.entrypoint) out["Entrypoint"] = *config.entrypoint;
  if (config.cmd) out["Cmd"] = *config.cmd;
  if (!config.working_dir.empty()) out["WorkingDir"] = config.working_dir;
  if (!config.user.empty()) out["User"] = config.user;
  if (!config.exposed_ports.empty()) out["ExposedPorts"] = keys_json(config.exposed_ports);
  if (!config.volumes.empty()) out["Volumes"] = keys_json(config.volumes);
  if (!config.labels.empty()) out["Labels"] = config.labels;
  if (!config.stop_signal.empty()) out["StopSignal"] = config.stop_signal;
  if (config.healthcheck) out["Healthcheck"] = healthcheck_json(*config.healthcheck);
  if (!config.shell.empty()) out["Shell"] = config.shell;
  if (!config.on_build.empty()) out["OnBuild"] = config.on_build;
  if (config.args_escaped) out["ArgsEscaped"] = true;
  return out;
}

json history_json(const History& entry) {
  json out = json::object();
  if (!entry.created.empty()) out["created"] = entry.created;
  if (!entry.created_by.empty()) out["created_by"] = entry.created_by;
  if (!entry.author.empty()) out["author"] = entry.author;
  if (!entry.comment.empty()) out["comment"] = entry.comment;
  if (entry.empty_layer) out["empty_layer"] = true;
  return out;
}

}  // namespace

Result<ImageConfig> ImageConfig::parse(std::string_view text) {
  try {
    json top = json::parse(text);
    if (!top.is_object()) return Error::invalid("image configuration is not a JSON object");
    // One document must not be a configuration and a manifest at once (OCI image-spec,
    // CVE-2021-41190).
    if (top.contains("manifests") || top.contains("layers")) {
      return Error::invalid("image configuration has the keys of a manifest");
    }
    ImageConfig out;
    std::optional<json> config;
    take(top, "config", config);
    if (config) parse_config(std::move(*config), out);
    take(top, "architecture", out.architecture);
    take(top, "variant", out.variant);
    take(top, "os", out.os);
    take(top, "created", out.created);
    take(top, "author", out.author);
    std::vector<json> history;
    take(top, "history", history);
    for (json& entry : history) {
      History item;
      take(entry, "created", item.created);
      take(entry, "created_by", item.created_by);
      take(entry, "author", item.author);
      take(entry, "comment", item.comment);
      take(entry, "empty_layer", item.empty_layer);
      out.history.push_back(std::move(item));
    }
    json rootfs = json::object();
    take(top, "rootfs", rootfs);
    take(rootfs, "diff_ids", out.diff_ids);
    if (!top.empty()) out.unknown_top = top.dump();
    return out;
  } catch (const json::exception& e) {
    return Error::invalid(std::string("image configuration: ") + e.what());
  }
}

std::string ImageConfig::serialize() const {
  json out = unknown_top.empty() ? json::object() : json::parse(unknown_top);
  out["config"] = config_json(*this);
  out["architecture"] = architecture;
  if (!variant.empty()) out["variant"] = variant;
  out["os"] = os;
  if (!created.empty()) out["created"] = created;
  if (!author.empty()) out["author"] = author;
  out["rootfs"] = {{"type", "layers"}, {"diff_ids", diff_ids}};
  if (!history.empty()) {
    json entries = json::array();
    for (const History& entry : history) entries.push_back(history_json(entry));
    out["history"] = std::move(entries);
  }
  // A label may hold any bytes: replace what is not UTF-8 instead of throwing.
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

void set_env(std::vector<std::string>& env, std::string_view key, std::string_view value) {
  const std::string prefix = std::string(key) + "=";
  for (std::string& entry : env) {
    if (entry.starts_with(prefix)) {
      entry = prefix + std::string(value);
      return;
    }
  }
  env.push_back(prefix + std::string(value));
}

std::string host_architecture() {
  utsname name{};
  (void)::uname(&name);  // cannot fail with a valid pointer
  const std::string machine = name.machine;
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine.starts_with("armv")) return "arm";
  if (machine == "i686" || machine == "i386") return "386";
  return machine;
}

WallTime parse_rfc3339(std::string_view text) {
  tm parts{};
  int offset_hours = 0;
  int offset_minutes = 0;
  const std::string owned(text);
  if (std::sscanf(owned.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec) != 6) {
    return WallTime{};
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  std::int64_t nanos = 0;
  std::size_t at = 19;
  if (at < owned.size() && owned[at] == '.') {
    std::int64_t scale = 100'000'000;
    for (++at; at < owned.size() && owned[at] >= '0' && owned[at] <= '9'; ++at) {
      nanos += scale * (owned[at] - '0');
      scale /= 10;
    }
  }
  std::int64_t seconds = ::timegm(&parts);
  if (at < owned.size() && (owned[at] == '+' || owned[at] == '-') &&
      std::sscanf(owned.c_str() + at + 1, "%2d:%2d", &offset_hours, &offset_minutes) == 2) {
    const int offset = (offset_hours * 60 + offset_minutes) * 60;
    seconds -= owned[at] == '+' ? offset : -offset;
  }
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(seconds) +
                                                                 Duration(nanos)));
}

}  // namespace stack::images
