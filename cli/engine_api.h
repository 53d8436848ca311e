// The parts of the Docker Engine API and of our project endpoints that the commands use, as plain
// values. JSON is read in engine_api.cc alone; members that an engine leaves out stay empty.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/api_client.h"

namespace stack::cli {

using Labels = std::map<std::string, std::string>;

inline constexpr std::string_view kApi = "/v1.47";
namespace label {
inline constexpr std::string_view kProject = "com.docker.compose.project";
inline constexpr std::string_view kService = "com.docker.compose.service";
inline constexpr std::string_view kNumber = "com.docker.compose.container-number";
inline constexpr std::string_view kOneOff = "com.docker.compose.oneoff";
inline constexpr std::string_view kConfigFiles = "com.docker.compose.project.config_files";
inline constexpr std::string_view kWorkingDir = "com.docker.compose.project.working_dir";
inline constexpr std::string_view kVolume = "com.docker.compose.volume";
}  // namespace label

struct PublishedPort {
  std::string ip;
  int private_port = 0;
  int public_port = 0;  // 0: exposed only
  std::string type = "tcp";

  bool operator==(const PublishedPort&) const = default;
};

struct MountPoint {
  std::string type;
  std::string name;
  std::string source;
  std::string destination;
  std::string driver;
};

// One line of GET /containers/json.
struct Container {
  std::string id;
  std::string name;  // without the leading slash
  std::string image;
  std::string image_id;
  std::string command;
  std::int64_t created = 0;   // seconds since the epoch
  std::string state;          // running, exited, ...
  std::string status;         // "Up 7 seconds (healthy)"
  std::int64_t restarts = 0;  // since the last start by command
  std::string
      restart_reason;  // why it was restarted last, or why it is not any more; our engine says so
  std::vector<PublishedPort> ports;
  Labels labels;
  std::vector<std::string> networks;
  std::vector<MountPoint> mounts;
  std::int64_t size = 0;

  std::string label(std::string_view name) const;
  std::string service() const { return label(label::kService); }
  std::string project() const { return label(label::kProject); }
  int number() const;
  bool one_off() const { return label(label::kOneOff) == "True"; }
};

// GET /containers/ID/json.
struct ContainerDetails {
  std::string id;
  std::string name;
  std::string status;  // State.Status
  bool running = false;
  bool restarting = false;
  int exit_code = 0;
  std::string health;
  bool tty = false;
  bool open_stdin = false;
  std::string image;
  std::map<std::string, std::vector<PublishedPort>> ports;  // "80/tcp"
};

struct ImageDetails {
  std::string id;
  std::vector<std::string> tags;
  std::vector<std::string> digests;
  std::int64_t size = 0;
  std::int64_t created = 0;  // seconds since the epoch
  std::string os;
  std::string architecture;
  std::string variant;
  std::string last_tag_time;  // RFC 3339
  std::int64_t containers = -1;
};

struct EngineEvent {
  std::string type;  // container, network, ...
  std::string action;
  std::string id;
  Labels attributes;
  std::int64_t time_nano = 0;

  std::string attribute(std::string_view name) const;
};

struct Processes {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> rows;
};

struct Stats {
  std::string name;
  std::string id;
  double cpu_percent = 0;
  double memory = 0;
  double memory_limit = 0;
  double rx = 0, tx = 0, read = 0, written = 0;
  std::int64_t pids = 0;
};

struct VolumeEntry {
  std::string name;
  std::string driver;
  std::string mountpoint;
  std::string scope;
  Labels labels;
};

struct EngineVersion {
  std::string version;
  std::string api_version;
};

struct CreatedContainer {
  std::string id;
  std::string name;
  std::string service;
  int number = 0;
};

// One line of a project endpoint's answer: exactly one of these is said.
struct ProjectLine {
  struct Step {
    std::string id, parent, text, status, kind;
    std::int64_t current = 0, total = 0;
  };
  struct Log {
    std::string text, id, stream;
  };
  struct Question {
    std::string volume, text;
  };
  struct Outcome {
    std::vector<CreatedContainer> containers;
    std::map<std::string, std::string> images;
    std::string id, name;
    std::vector<Question> questions;  // nothing was done yet
    std::string plan;                 // JSON, of a dry run
  };
  struct Failure {
    std::string message, remedy;
    int exit_code = 1;
  };
  std::optional<Step> step;
  std::optional<Log> log;
  std::optional<std::string> warning;
  std::optional<Outcome> result;
  std::optional<Failure> error;
};
Result<ProjectLine> parse_project_line(std::string_view line);

// One line of the answers of /images/create, /images/load, /images/{name}/push and /build.
struct PullLine {
  std::string id, status, progress, stream, error;
  std::int64_t current = 0, total = 0;
  std::string image_id;  // what a build has made
};
Result<PullLine> parse_pull_line(std::string_view line);
// One entry of GET /images/search.
struct FoundImage {
  std::string name, description;
  std::int64_t stars = 0;
  bool official = false;
};
Result<std::vector<FoundImage>> parse_search(std::string_view json);
Result<EngineEvent> parse_event(std::string_view line);
// [{"Untagged":"a:1"},{"Deleted":"sha256:..."}] of DELETE /images/NAME.
Result<std::vector<std::pair<std::string, std::string>>> parse_deletions(std::string_view json);

Result<std::vector<Container>> parse_containers(std::string_view json);
Result<ContainerDetails> parse_container(std::string_view json);

class Engine {
 public:
  explicit Engine(ApiClient client) : client_(std::move(client)) {}
  const ApiClient& http() const { return client_; }

  Result<std::vector<Container>> containers(bool all, const std::vector<std::string>& labels,
                                            bool size = false) const;
  Result<ContainerDetails> inspect(const std::string& id) const;
  Result<ImageDetails> image(const std::string& name) const;
  Result<std::vector<VolumeEntry>> volumes(const std::vector<std::string>& labels) const;
  Result<Processes> top(const std::string& id) const;
  Result<Stats> stats(const std::string& id) const;
  Result<EngineVersion> version() const;
  Result<int> exec_exit_code(const std::string& exec_id) const;

 private:
  ApiClient client_;
};

// {"label":["a","b=c"]} as a query value.
std::string label_filter(const std::vector<std::string>& labels);
// A string member of a JSON object, for answers of one member such as {"Id":...}; empty when
// absent.
std::string json_member(std::string_view json, std::string_view name);
// Indented by four, as `docker inspect` prints; the text itself when it is not JSON.
std::string pretty_json(std::string_view json);

}  // namespace stack::cli
