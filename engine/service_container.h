// A service of a project as a container of this engine: what `docker compose` puts into its create
// request. Pure.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "compose/project.h"
#include "engine/model.h"

namespace stack::engine {

struct ServiceContainer {
  ContainerConfig config;
  // Texts of configs and secrets that are not files of the host; written before the container
  // starts, bound read-only.
  struct InjectedFile {
    std::filesystem::path path;
    std::string text;
    unsigned mode = 0444;
    unsigned uid = 0, gid = 0;
  };
  std::vector<InjectedFile> files;
};

struct ServicePlacement {
  std::string container_name;
  std::map<std::string, std::string>
      labels;                             // com.docker.compose.*: they win over the service's own
  std::filesystem::path files_directory;  // where injected files of this project live
  // The container that `service:NAME` (network_mode, ipc, pid) or a volumes_from entry stands for.
  std::function<Result<std::string>(const std::string& service)> container_of;
  bool one_off =
      false;  // `run`: no ports unless service_ports, restart policy none, own name as only alias
  bool service_ports = false;
  bool use_aliases = false;
};

Result<ServiceContainer> container_of_service(const compose::Project& project,
                                              const compose::Service& service,
                                              const ServicePlacement& placement);
// The image a service runs: `image`, or the name that Compose gives to what it builds.
std::string image_of_service(const compose::Project& project, const compose::Service& service);

}  // namespace stack::engine
