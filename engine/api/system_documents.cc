#include "engine/api/system_documents.h"

#include "base/sha256.h"
#include "engine/api/text.h"
#include "engine/json_fields.h"
#include "images/image_config.h"

namespace stack::engine::api {

const char* engine_version() { return "0.1.0"; }

std::string os_release_name(std::string_view text) {
  constexpr std::string_view kKey = "PRETTY_NAME=";
  const auto at = text.find(kKey);
  if (at == std::string_view::npos) return "Linux";
  auto value = text.substr(at + kKey.size());
  value = value.substr(0, value.find('\n'));
  if (value.size() >= 2 && value.front() == '"') value = value.substr(1, value.size() - 2);
  return std::string(value);
}

Json version_document(const HostFacts& host) {
  const auto arch = images::host_architecture();
  const Json details = {{"ApiVersion", "1.51"},    {"Arch", arch},
                        {"Experimental", "false"}, {"GitCommit", ""},
                        {"GoVersion", ""},         {"KernelVersion", host.kernel},
                        {"MinAPIVersion", "1.24"}, {"Os", "linux"}};
  return {{"Platform", {{"Name", "Stack Engine"}}},
          {"Components",
           Json::array(
               {Json{{"Name", "Engine"}, {"Version", engine_version()}, {"Details", details}}})},
          {"Version", engine_version()},
          {"ApiVersion", "1.51"},
          {"MinAPIVersion", "1.24"},
          {"GitCommit", ""},
          {"GoVersion", ""},
          {"Os", "linux"},
          {"Arch", arch},
          {"KernelVersion", host.kernel},
          {"BuildTime", ""}};
}

namespace {

// What is insecure by name is an index of its own, what is insecure by address a network.
Json registry_config(const EngineFacts& engine) {
  Json mirrors = Json::array();
  for (const auto& mirror : engine.mirrors)
    mirrors.push_back(mirror.ends_with('/') ? mirror : mirror + "/");
  const auto index = [](const std::string& name, const Json& of, bool official) -> Json {
    return {{"Mirrors", of}, {"Name", name}, {"Official", official}, {"Secure", official}};
  };
  Json indexes = {{"docker.io", index("docker.io", mirrors, true)}};
  Json networks = Json::array({"::1/128", "127.0.0.0/8"});
  for (const auto& registry : engine.insecure_registries) {
    if (registry.find('/') == std::string::npos) {
      indexes[registry] = index(registry, Json::array(), false);
    } else {
      networks.push_back(registry);
    }
  }
  return {{"IndexConfigs", indexes},
          {"InsecureRegistryCIDRs", networks},
          {"Mirrors", mirrors.empty() ? Json() : mirrors}};
}

}  // namespace

Json info_document(const EngineFacts& engine, const HostFacts& host) {
  const Json no_commit = {{"ID", ""}};
  return {{"ID", sha256_hex(engine.root + host.host_name).substr(0, 32)},
          {"Containers", engine.containers},
          {"ContainersRunning", engine.running},
          {"ContainersPaused", engine.paused},
          {"ContainersStopped", engine.containers - engine.running - engine.paused},
          {"Images", engine.images},
          {"Driver", "overlay2"},
          {"DriverStatus", Json::array({Json::array({"Supports d_type", "true"}),
                                        Json::array({"Native Overlay Diff", "true"})})},
          {"Plugins",
           {{"Volume", Json::array({"local"})},
            {"Network", {"bridge", "host", "null"}},
            {"Authorization", nullptr},
            {"Log", Json::array({"json-file", "none"})}}},
          {"MemoryLimit", true},
          {"SwapLimit", true},
          {"KernelMemoryTCP", true},
          {"CpuCfsPeriod", true},
          {"CpuCfsQuota", true},
          {"CPUShares", true},
          {"CPUSet", true},
          {"PidsLimit", true},
          {"IPv4Forwarding", true},
          {"Debug", false},
          {"NFd", engine.open_files},
          {"OomKillDisable", !host.cgroup_v2},
          {"NGoroutines", 1},
          {"SystemTime", go_time(engine.now)},
          {"LoggingDriver", "json-file"},
          {"CgroupDriver", "cgroupfs"},
          {"CgroupVersion", host.cgroup_v2 ? "2" : "1"},
          {"NEventsListener", engine.event_listeners},
          {"KernelVersion", host.kernel},
          {"OperatingSystem", host.os_name},
          {"OSVersion", ""},
          {"OSType", "linux"},
          {"Architecture", host.machine},
          {"IndexServerAddress", "https://index.docker.io/v1/"},
          {"RegistryConfig", registry_config(engine)},
          {"NCPU", host.cpus},
          {"MemTotal", host.memory},
          {"GenericResources", nullptr},
          {"DockerRootDir", engine.root},
          {"HttpProxy", ""},
          {"HttpsProxy", ""},
          {"NoProxy", ""},
          {"Name", host.host_name},
          {"Labels", Json::array()},
          {"ExperimentalBuild", false},
          {"ServerVersion", engine_version()},
          {"Runtimes",
           {{"runc", {{"path", "stack-shim"}, {"status", Json::object()}}},
            {"io.containerd.runc.v2", {{"path", "stack-shim"}, {"status", Json::object()}}}}},
          {"DefaultRuntime", "runc"},
          {"Swarm",
           {{"NodeID", ""},
            {"NodeAddr", ""},
            {"LocalNodeState", "inactive"},
            {"ControlAvailable", false},
            {"Error", ""},
            {"RemoteManagers", nullptr}}},
          {"LiveRestoreEnabled", true},
          {"Isolation", ""},
          {"InitBinary", "stack-shim"},
          {"ContainerdCommit", no_commit},
          {"RuncCommit", no_commit},
          {"InitCommit", no_commit},
          {"SecurityOptions", Json::array({"name=seccomp,profile=builtin"})},
          {"FirewallBackend", {{"Driver", "nftables"}}},
          {"CDISpecDirs", Json::array()},
          {"Warnings", nullptr}};
}

}  // namespace stack::engine::api
