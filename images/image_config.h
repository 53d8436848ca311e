// The OCI image configuration with Docker's additions (Healthcheck, OnBuild, Shell). The digest of
// its JSON is the image id, so a configuration that came from outside is kept as bytes in the
// store; serialize() is for images we make. Keys that we do not know are preserved. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace stack::images {

struct Healthcheck {
  std::vector<std::string>
      test;              // {"NONE"}, {"CMD", ...} or {"CMD-SHELL", command}; empty inherits
  Duration interval{0};  // 0 means the engine's default
  Duration timeout{0};
  Duration start_period{0};
  Duration start_interval{0};
  int retries = 0;

  bool operator==(const Healthcheck&) const = default;
};

struct History {
  std::string created;  // RFC 3339, kept as written
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;

  bool operator==(const History&) const = default;
};

struct ImageConfig {
  std::vector<std::string> env;  // "K=V"
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> cmd;
  std::string working_dir;
  std::string user;
  std::set<std::string> exposed_ports;  // "80/tcp"
  std::set<std::string> volumes;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<Healthcheck> healthcheck;
  std::vector<std::string> shell;  // empty: /bin/sh -c
  std::vector<std::string> on_build;
  bool args_escaped = false;

  std::string architecture;
  std::string variant;
  std::string os;
  std::string created;  // RFC 3339, kept as written; may be empty
  std::string author;
  std::vector<History> history;
  std::vector<std::string> diff_ids;  // bottom first

  std::string unknown_top;     // JSON object of keys we do not know, "" when none
  std::string unknown_config;  // the same inside "config"

  static Result<ImageConfig> parse(std::string_view json);
  std::string serialize() const;

  bool operator==(const ImageConfig&) const = default;
};

// Sets or replaces K in a list of "K=V".
void set_env(std::vector<std::string>& env, std::string_view key, std::string_view value);
// The architecture name that images use for the machine we run on ("amd64", "arm64").
std::string host_architecture();
// RFC 3339 to wall time; the epoch when it cannot be read.
WallTime parse_rfc3339(std::string_view text);

}  // namespace stack::images
