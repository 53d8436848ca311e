#include "cli/engine_api.h"

#include <fmt/core.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/json_text.h"

namespace stack::cli {

namespace {

using Json = nlohmann::json;

Result<Json> parse(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    return Error::make(ErrorKind::kUnavailable,
                       fmt::format("the engine's answer is not JSON: {}", text.substr(0, 200)));
  }
  return json;
}

Result<Json> parse(const Result<std::string>& answer) {
  if (!answer.ok()) return answer.error();
  return parse(std::string_view(answer.value()));
}

const Json& member(const Json& object, const char* name) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found != object.end() ? *found : kNone;
}

std::string text(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}
std::int64_t number(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_number() ? value.get<std::int64_t>() : 0;
}
bool truth(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_boolean() && value.get<bool>();
}
std::vector<std::string> texts(const Json& object, const char* name) {
  std::vector<std::string> out;
  const Json& list = member(object, name);
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}
Labels label_map(const Json& object, const char* name) {
  Labels out;
  const Json& labels = member(object, name);
  if (!labels.is_object()) return out;
  for (const auto& [key, value] : labels.items()) {
    out.emplace(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

int port_number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Seconds of "2026-11-24T20:18:58.455Z" or of a number.
std::int64_t seconds_of(const Json& value) {
  if (value.is_number()) return value.get<std::int64_t>();
  if (!value.is_string()) return 0;
  std::tm tm{};
  if (::strptime(value.get_ref<const std::string&>().c_str(), "%Y-%m-%dT%H:%M:%S", &tm) == nullptr)
    return 0;
  return ::timegm(&tm);
}

Container container_of(const Json& json) {
  Container out;
  out.id = text(json, "Id");
  const auto names = texts(json, "Names");
  // Names under which others link to it have a second slash.
  for (const std::string& name : names) {
    if (name.find('/', 1) == std::string::npos)
      out.name = name.substr(name.starts_with('/') ? 1 : 0);
  }
  out.image = text(json, "Image");
  out.image_id = text(json, "ImageID");
  out.command = text(json, "Command");
  out.created = number(json, "Created");
  out.state = text(json, "State");
  out.status = text(json, "Status");
  out.restarts = number(member(json, "Stack"), "RestartCount");
  out.restart_reason = text(member(json, "Stack"), "RestartReason");
  out.size = number(json, "SizeRw");
  out.labels = label_map(json, "Labels");
  for (const Json& port : member(json, "Ports")) {
    out.ports.push_back({text(port, "IP"), static_cast<int>(number(port, "PrivatePort")),
                         static_cast<int>(number(port, "PublicPort")), text(port, "Type")});
  }
  const Json& networks = member(member(json, "NetworkSettings"), "Networks");
  if (networks.is_object()) {
    for (const auto& [name, unused] : networks.items()) out.networks.push_back(name);
  }
  for (const Json& mount : member(json, "Mounts")) {
    out.mounts.push_back({text(mount, "Type"), text(mount, "Name"), text(mount, "Source"),
                          text(mount, "Destination"), text(mount, "Driver")});
  }
  return out;
}

ImageDetails image_of(const Json& json) {
  ImageDetails out;
  out.id = text(json, "Id");
  out.tags = texts(json, "RepoTags");
  out.digests = texts(json, "RepoDigests");
  out.size = number(json, "Size");
  out.created = seconds_of(member(json, "Created"));
  out.os = text(json, "Os");
  out.architecture = text(json, "Architecture");
  out.variant = text(json, "Variant");
  out.last_tag_time = text(member(json, "Metadata"), "LastTagTime");
  return out;
}

EngineEvent event_of(const Json& json) {
  EngineEvent out;
  out.type = text(json, "Type");
  out.action = text(json, "Action");
  const Json& actor = member(json, "Actor");
  out.id = text(actor, "ID");
  out.attributes = label_map(actor, "Attributes");
  out.time_nano = number(json, "timeNano");
  if (out.time_nano == 0) out.time_nano = number(json, "time") * 1'000'000'000;
  return out;
}

template <typename T, typename F>
std::vector<T> each(const Json& list, F convert) {
  std::vector<T> out;
  if (!list.is_array()) return out;
  out.reserve(list.size());
  for (const Json& item : list) out.push_back(convert(item));
  return out;
}

double blkio_sum(const Json& stats, const char* op) {
  double sum = 0;
  for (const Json& entry : member(member(stats, "blkio_stats"), "io_service_bytes_recursive")) {
    const std::string name = text(entry, "op");
    if (name.size() == std::string_view(op).size() && ::strcasecmp(name.c_str(), op) == 0) {
      sum += static_cast<double>(number(entry, "value"));
    }
  }
  return sum;
}

}  // namespace

std::string Container::label(std::string_view wanted) const {
  const auto found = labels.find(std::string(wanted));
  return found != labels.end() ? found->second : std::string();
}

int Container::number() const { return port_number(label(label::kNumber)); }

std::string EngineEvent::attribute(std::string_view wanted) const {
  const auto found = attributes.find(std::string(wanted));
  return found != attributes.end() ? found->second : std::string();
}

Result<std::vector<Container>> parse_containers(std::string_view json) {
  return each<Container>(TRY(parse(json)), container_of);
}

Result<ContainerDetails> parse_container(std::string_view source) {
  const Json json = TRY(parse(source));
  ContainerDetails out;
  out.id = text(json, "Id");
  out.name = text(json, "Name");
  if (out.name.starts_with('/')) out.name.erase(0, 1);
  const Json& state = member(json, "State");
  out.status = text(state, "Status");
  out.running = truth(state, "Running");
  out.restarting = truth(state, "Restarting");
  out.exit_code = static_cast<int>(number(state, "ExitCode"));
  out.health = text(member(state, "Health"), "Status");
  const Json& config = member(json, "Config");
  out.tty = truth(config, "Tty");
  out.open_stdin = truth(config, "OpenStdin");
  out.image = text(config, "Image");
  const Json& ports = member(member(json, "NetworkSettings"), "Ports");
  if (ports.is_object()) {
    for (const auto& [key, bindings] : ports.items()) {
      auto& list = out.ports[key];
      for (const Json& binding : bindings) {
        list.push_back({text(binding, "HostIp"), port_number(key),
                        port_number(text(binding, "HostPort")),
                        key.substr(std::min(key.size(), key.find('/') + 1))});
      }
    }
  }
  return out;
}

Result<ProjectLine> parse_project_line(std::string_view line) {
  const Json json = TRY(parse(line));
  ProjectLine out;
  if (const Json& error = member(json, "error"); error.is_object()) {
    const Json& code = member(error, "exit_code");
    out.error = ProjectLine::Failure{text(error, "message"), text(error, "remedy"),
                                     code.is_number() ? code.get<int>() : 1};
  } else if (const Json& result = member(json, "result"); !result.is_null()) {
    out.result.emplace();
    out.result->containers =
        each<CreatedContainer>(member(result, "containers"), [](const Json& item) {
          return CreatedContainer{text(item, "id"), text(item, "name"), text(item, "service"),
                                  static_cast<int>(number(item, "number"))};
        });
    out.result->images = label_map(result, "images");
    out.result->questions =
        each<ProjectLine::Question>(member(result, "questions"), [](const Json& item) {
          return ProjectLine::Question{text(item, "volume"), text(item, "text")};
        });
    if (const Json& plan = member(result, "plan"); plan.is_object()) out.result->plan = plan.dump();
    out.result->id = text(result, "id");
    out.result->name = text(result, "name");
  } else if (member(json, "warning").is_string()) {
    out.warning = text(json, "warning");
  } else if (member(json, "log").is_string()) {
    out.log = ProjectLine::Log{text(json, "log"), text(json, "id"), text(json, "stream")};
  } else {
    out.step = ProjectLine::Step{
        text(json, "id"),   text(json, "parent"),    text(json, "text"),   text(json, "status"),
        text(json, "kind"), number(json, "current"), number(json, "total")};
  }
  return out;
}

Result<PullLine> parse_pull_line(std::string_view line) {
  const Json json = TRY(parse(line));
  PullLine out{text(json, "id"),
               text(json, "status"),
               text(json, "progress"),
               text(json, "stream"),
               text(json, "error"),
               0,
               0,
               text(member(json, "aux"), "ID")};
  if (const std::string detail = text(member(json, "errorDetail"), "message"); !detail.empty())
    out.error = detail;
  out.current = number(member(json, "progressDetail"), "current");
  out.total = number(member(json, "progressDetail"), "total");
  return out;
}

Result<std::vector<FoundImage>> parse_search(std::string_view source) {
  std::vector<FoundImage> out;
  const Json json = TRY(parse(source));
  for (const Json& entry : json)
    out.push_back({text(entry, "name"), text(entry, "description"), number(entry, "star_count"),
                   member(entry, "is_official") == true});
  return out;
}

Result<EngineEvent> parse_event(std::string_view line) { return event_of(TRY(parse(line))); }

Result<std::vector<std::pair<std::string, std::string>>> parse_deletions(std::string_view source) {
  std::vector<std::pair<std::string, std::string>> out;
  const Json json = TRY(parse(source));
  for (const Json& entry : json) {
    for (const char* what : {"Untagged", "Deleted"}) {
      if (std::string id = text(entry, what); !id.empty()) out.emplace_back(what, std::move(id));
    }
  }
  return out;
}

std::string label_filter(const std::vector<std::string>& labels) {
  return url_encode(JsonObject().add("label", labels).text());
}

Result<std::vector<Container>> Engine::containers(bool all, const std::vector<std::string>& labels,
                                                  bool size) const {
  std::string target = fmt::format("{}/containers/json?all={}", kApi, all ? 1 : 0);
  if (size) target += "&size=1";
  if (!labels.empty()) target += "&filters=" + label_filter(labels);
  return parse_containers(TRY(client_.get(target)));
}

Result<ContainerDetails> Engine::inspect(const std::string& id) const {
  return parse_container(
      TRY(client_.get(fmt::format("{}/containers/{}/json", kApi, url_encode(id)))));
}

Result<ImageDetails> Engine::image(const std::string& name) const {
  return image_of(
      TRY(parse(client_.get(fmt::format("{}/images/{}/json", kApi, url_encode(name))))));
}

Result<std::vector<VolumeEntry>> Engine::volumes(const std::vector<std::string>& labels) const {
  std::string target = fmt::format("{}/volumes", kApi);
  if (!labels.empty()) target += "?filters=" + label_filter(labels);
  const Json json = TRY(parse(client_.get(target)));
  return each<VolumeEntry>(member(json, "Volumes"), [](const Json& item) {
    return VolumeEntry{text(item, "Name"), text(item, "Driver"), text(item, "Mountpoint"),
                       text(item, "Scope"), label_map(item, "Labels")};
  });
}

Result<Processes> Engine::top(const std::string& id) const {
  const Json json = TRY(parse(client_.get(fmt::format("{}/containers/{}/top", kApi, id))));
  Processes out;
  out.titles = texts(json, "Titles");
  for (const Json& row : member(json, "Processes")) {
    auto& cells = out.rows.emplace_back();
    for (const Json& cell : row) {
      if (cell.is_string()) cells.push_back(cell.get<std::string>());
    }
  }
  return out;
}

Result<Stats> Engine::stats(const std::string& id) const {
  const Json json =
      TRY(parse(client_.get(fmt::format("{}/containers/{}/stats?stream=0", kApi, id))));
  Stats out;
  out.id = text(json, "id");
  out.name = text(json, "name");
  if (out.name.starts_with('/')) out.name.erase(0, 1);
  const Json& cpu = member(json, "cpu_stats");
  const Json& before = member(json, "precpu_stats");
  const auto used = [](const Json& stats) {
    return static_cast<double>(number(member(stats, "cpu_usage"), "total_usage"));
  };
  const double cpu_delta = used(cpu) - used(before);
  const double system_delta = static_cast<double>(number(cpu, "system_cpu_usage")) -
                              static_cast<double>(number(before, "system_cpu_usage"));
  const double cpus = std::max<double>(1, static_cast<double>(number(cpu, "online_cpus")));
  if (system_delta > 0 && cpu_delta > 0) out.cpu_percent = cpu_delta / system_delta * cpus * 100;
  const Json& memory = member(json, "memory_stats");
  out.memory = static_cast<double>(number(memory, "usage"));
  const Json& detail = member(memory, "stats");
  // The page cache that can be dropped at once does not count: v1 total_inactive_file, v2
  // inactive_file.
  const auto cache = static_cast<double>(detail.contains("total_inactive_file")
                                             ? number(detail, "total_inactive_file")
                                             : number(detail, "inactive_file"));
  if (cache < out.memory) out.memory -= cache;
  out.memory_limit = static_cast<double>(number(memory, "limit"));
  for (const Json& network : member(json, "networks")) {
    out.rx += static_cast<double>(number(network, "rx_bytes"));
    out.tx += static_cast<double>(number(network, "tx_bytes"));
  }
  out.read = blkio_sum(json, "read");
  out.written = blkio_sum(json, "write");
  out.pids = number(member(json, "pids_stats"), "current");
  return out;
}

Result<EngineVersion> Engine::version() const {
  const Json json = TRY(parse(client_.get("/version")));
  return EngineVersion{text(json, "Version"), text(json, "ApiVersion")};
}

Result<int> Engine::exec_exit_code(const std::string& exec_id) const {
  const Json json = TRY(parse(client_.get(fmt::format("{}/exec/{}/json", kApi, exec_id))));
  return static_cast<int>(number(json, "ExitCode"));
}

std::string json_member(std::string_view source, std::string_view name) {
  const Json json = Json::parse(source, nullptr, false);
  const Json& value = member(json, std::string(name).c_str());
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? std::string() : value.dump();
}

std::string pretty_json(std::string_view source) {
  const auto json = nlohmann::ordered_json::parse(source, nullptr, false);
  return json.is_discarded() ? std::string(source) : json.dump(4);
}

}  // namespace stack::cli
