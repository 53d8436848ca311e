#include "compose/normalize.h"

#include <filesystem>
#include <set>

namespace stack::compose {

std::string service_of_mode(const std::string& mode) {
  return mode.rfind("service:", 0) == 0 ? mode.substr(8) : "";
}

namespace {

void depend(Service& service, const std::string& on, bool restart) {
  if (on.empty()) return;
  Dependency d;
  d.restart = restart;
  service.depends_on.emplace(on, d);
}

void imply_dependencies(Service& s) {
  for (const std::string& link : s.links) depend(s, link.substr(0, link.find(':')), true);
  for (const std::string* mode : {&s.network_mode, &s.ipc, &s.pid, &s.uts, &s.cgroup}) {
    depend(s, service_of_mode(*mode), true);
  }
  for (const std::string& from : s.volumes_from) {
    if (from.rfind("container:", 0) != 0) depend(s, from.substr(0, from.find(':')), false);
  }
}

void clean_target(MountConfig& m) {
  if (m.target.empty()) return;
  std::string out = std::filesystem::path(m.target).lexically_normal().string();
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  m.target = out;
}

// Keys without a value take it from the project's environment, when that has one.
void resolve_from(Environment& values, const StringMap& environment, bool drop_unset) {
  for (auto it = values.begin(); it != values.end();) {
    if (!it->second) {
      const auto found = environment.find(it->first);
      if (found != environment.end()) {
        it->second = found->second;
      } else if (drop_unset) {
        it = values.erase(it);
        continue;
      }
    }
    ++it;
  }
}

void normalize_build(Build& b, const StringMap& environment) {
  if (b.dockerfile.empty() && b.dockerfile_inline.empty()) b.dockerfile = "Dockerfile";
  resolve_from(b.args, environment, /*drop_unset=*/true);
}

void count_devices(std::vector<DeviceRequest>& requests) {
  for (DeviceRequest& r : requests) {
    if (!r.count && r.device_ids.empty()) r.count = -1;
  }
}

void normalize_service(Service& s, const StringMap& environment) {
  if (s.networks.empty() && s.network_mode.empty() && !s.provider) s.networks["default"];
  imply_dependencies(s);
  for (MountConfig& m : s.volumes) clean_target(m);
  for (FileReference& f : s.secrets) {
    if (f.target.empty()) f.target = "/run/secrets/" + f.source;
  }
  if (s.build) normalize_build(*s.build, environment);
  count_devices(s.gpus);
  if (s.deploy && s.deploy->reservations) count_devices(s.deploy->reservations->devices);
  if (s.deploy && s.scale && !s.deploy->replicas) s.deploy->replicas = s.scale;
}

template <typename T>
void name_objects(std::map<std::string, T>& objects, const std::string& project) {
  for (auto& [key, object] : objects) {
    if (object.name.empty()) object.name = object.external ? key : project + "_" + key;
  }
}

}  // namespace

void normalize(Project& project) {
  bool uses_default = false;
  for (auto& [name, service] : project.services) {
    normalize_service(service, project.environment);
    uses_default = uses_default || service.networks.count("default") > 0;
  }
  if (uses_default) project.networks["default"];
  name_objects(project.networks, project.name);
  name_objects(project.volumes, project.name);
  name_objects(project.configs, project.name);
  name_objects(project.secrets, project.name);
}

namespace {

template <typename T>
void keep(std::map<std::string, T>& objects, const std::set<std::string>& used) {
  std::erase_if(objects, [&](const auto& entry) { return used.count(entry.first) == 0; });
}

}  // namespace

void drop_unused(Project& project) {
  std::set<std::string> networks;
  std::set<std::string> volumes;
  std::set<std::string> configs;
  std::set<std::string> secrets;
  for (const auto& [name, service] : project.services) {
    for (const auto& [network, options] : service.networks) networks.insert(network);
    for (const MountConfig& m : service.volumes) {
      if (m.type == "volume") volumes.insert(m.source);
    }
    for (const FileReference& f : service.configs) configs.insert(f.source);
    for (const FileReference& f : service.secrets) secrets.insert(f.source);
    if (service.build) {
      for (const FileReference& f : service.build->secrets) secrets.insert(f.source);
    }
  }
  keep(project.networks, networks);
  keep(project.volumes, volumes);
  keep(project.configs, configs);
  keep(project.secrets, secrets);
}

}  // namespace stack::compose
