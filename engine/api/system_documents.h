// GET /version and GET /info. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace stack::engine::api {

const char* engine_version();  // ours; what clients compare is the API version

struct HostFacts {
  std::string kernel, machine, host_name, os_name;
  std::int64_t memory = 0;
  int cpus = 1;
  bool cgroup_v2 = false;
};

struct EngineFacts {
  int containers = 0, running = 0, paused = 0, images = 0;
  int open_files = 0, event_listeners = 0;
  std::string root;
  std::vector<std::string> mirrors, insecure_registries;  // of daemon.json
  WallTime now{};
};

std::string os_release_name(std::string_view text);  // PRETTY_NAME of os-release(5)
nlohmann::json version_document(const HostFacts& host);
nlohmann::json info_document(const EngineFacts& engine, const HostFacts& host);

}  // namespace stack::engine::api
