#include "compose/normalize.h"

#include <set>

#include "compose/paths.h"

namespace stack::compose {

std::string service_of_mode(const std::string& mode) {
  return mode.rfind("service:", 0) == 0 ? mode.substr(8) : "";
}

namespace {

template <typename F>
void each(Node& root, std::string_view kind, const F& f) {
  Node* objects = root.find(kind);
  if (objects == nullptr) return;
  for (Entry& e : objects->entries) {
    if (e.value.is_map()) f(e.value);
  }
}

Node* at(Node& n, std::initializer_list<std::string_view> path) {
  Node* found = &n;
  for (const std::string_view key : path) {
    if (found != nullptr) found = found->find(key);
  }
  return found;
}

void set_default(Node& map, std::string_view key, const std::string& value) {
  if (map.is_map() && map.find(key) == nullptr) map.set(key, Node::string(value, map.place));
}

void count_devices(Node* requests) {
  if (requests == nullptr) return;
  for (Node& r : requests->items) {
    if (r.find("device_ids") == nullptr) set_default(r, "count", "all");
  }
}

void depend(Node& service, const std::string& on, bool restart, Place place) {
  Node* all = service.find("depends_on");
  if (all == nullptr) all = &service.set("depends_on", Node::map(place));
  if (!all->is_map() || all->find(on) != nullptr) return;
  Node dependency = Node::map(place);
  dependency.set("condition", Node::string("service_started", place));
  dependency.set("restart", Node::boolean(restart, place));
  dependency.set("required", Node::boolean(true, place));
  all->set(on, std::move(dependency));
}

void imply_dependencies(Node& s) {
  if (const Node* links = s.find("links")) {
    for (const Node& link : Node(*links).items) {
      const std::size_t colon = link.text.find(':');
      const bool alias =
          colon != std::string::npos && link.text.find(':', colon + 1) == std::string::npos;
      depend(s, alias ? link.text.substr(0, colon) : link.text, true, link.place);
    }
  }
  for (const char* key : {"network_mode", "ipc", "pid", "uts", "cgroup"}) {
    const Node* mode = s.find(key);
    const std::string on = mode == nullptr ? "" : service_of_mode(mode->text);
    if (!on.empty()) depend(s, on, true, Place(mode->place));
  }
  if (const Node* from = s.find("volumes_from")) {
    for (const Node& f : Node(*from).items) {
      if (f.text.rfind("container:", 0) == 0) continue;
      depend(s, f.text.substr(0, f.text.find(':')), false, f.place);
    }
  }
}

void clean_target(Node& mount) {
  Node* target = mount.find("target");
  if (target == nullptr || target->text.empty()) return;
  target->text = clean_path(target->text);
}

// The lines of a list, which also a document without defaults has resolved.
void resolve_lines(Node& values, const StringMap& environment) {
  for (Node& line : values.items) {
    const auto found = environment.find(line.text);
    if (line.text.find('=') == std::string::npos && found != environment.end()) {
      line.text += "=" + found->second;
    }
  }
}

// Keys without a value take it from the project's environment, when that has one.
void resolve_from(Node* values, const StringMap& environment, bool keep_unset) {
  if (values == nullptr) return;
  for (Entry& e : values->entries) {
    if (!e.value.is_null()) continue;
    const auto found = environment.find(e.key);
    if (found != environment.end()) e.value = Node::string(found->second, e.value.place);
  }
  if (!keep_unset) {
    std::erase_if(values->entries, [](const Entry& e) { return e.value.is_null(); });
  }
  resolve_lines(*values, environment);
  if (!keep_unset) {
    std::erase_if(values->items,
                  [](const Node& line) { return line.text.find('=') == std::string::npos; });
  }
}

void normalize_build(Node& b, const StringMap& environment) {
  set_default(b, "context", ".");
  if (b.find("dockerfile_inline") == nullptr) set_default(b, "dockerfile", "Dockerfile");
  resolve_from(b.find("args"), environment, /*keep_unset=*/false);
}

void normalize_service(Node& s, const StringMap& environment) {
  if (Node* policy = s.find("pull_policy"); policy != nullptr && policy->text == "if_not_present") {
    policy->text = "missing";
  }
  if (Node* build = s.find("build"); build != nullptr && build->is_map()) {
    normalize_build(*build, environment);
  }
  resolve_from(s.find("environment"), environment, /*keep_unset=*/true);
  imply_dependencies(s);
  if (Node* volumes = s.find("volumes")) {
    for (Node& m : volumes->items) clean_target(m);
  }
}

// True when it is on the default network.
bool join_default_network(Node& s) {
  if (s.find("provider") != nullptr || s.find("network_mode") != nullptr) return false;
  Node* networks = s.find("networks");
  if (networks == nullptr || networks->entries.empty()) {
    Node map = Node::map(s.place);
    map.set("default", Node::null(s.place));
    networks = &s.set("networks", std::move(map));
  }
  return networks->find("default") != nullptr;
}

void name_objects(Node& root, std::string_view kind, const std::string& project) {
  Node* objects = root.find(kind);
  if (objects == nullptr) return;
  for (Entry& e : objects->entries) {
    if (e.value.is_null()) e.value = Node::map(e.value.place);
    const Node* name = e.value.find("name");
    if (name != nullptr && !name->is_null()) continue;
    const Node* external = e.value.find("external");
    const bool outside = external != nullptr && external->text == "true";
    e.value.set("name", Node::string(outside ? e.key : project + "_" + e.key, e.value.place));
  }
}

}  // namespace

void set_defaults(Node& root) {
  each(root, "services", [](Node& s) {
    if (Node* build = s.find("build")) set_default(*build, "context", ".");
    if (Node* secrets = s.find("secrets")) {
      for (Node& f : secrets->items) {
        const Node* source = f.find("source");
        set_default(f, "target", "/run/secrets/" + (source == nullptr ? "" : source->text));
      }
    }
    if (Node* ports = s.find("ports")) {
      for (Node& p : ports->items) {
        set_default(p, "protocol", "tcp");
        set_default(p, "mode", "ingress");
      }
    }
    count_devices(s.find("gpus"));
    count_devices(at(s, {"deploy", "resources", "reservations", "devices"}));
  });
}

void resolve_listed_environment(Node& root, const StringMap& environment) {
  each(root, "services", [&](Node& s) {
    if (Node* values = s.find("environment")) resolve_lines(*values, environment);
  });
}

void normalize(Node& root, const std::string& project, const StringMap& environment) {
  bool uses_default = false;
  each(root, "services", [&](Node& s) {
    normalize_service(s, environment);
    uses_default = join_default_network(s) || uses_default;
  });
  if (uses_default) {
    Node* networks = root.find("networks");
    if (networks == nullptr) networks = &root.set("networks", Node::map());
    if (networks->find("default") == nullptr) networks->set("default", Node::null());
  }
  for (const char* kind : {"networks", "volumes", "configs", "secrets"}) {
    name_objects(root, kind, project);
  }
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
  std::set<std::string> models;
  for (const auto& [name, service] : project.services) {
    for (const auto& [network, options] : service.networks) networks.insert(network);
    for (const MountConfig& m : service.volumes) {
      if (m.type == "volume") volumes.insert(m.source);
    }
    for (const FileReference& f : service.configs) configs.insert(f.source);
    for (const FileReference& f : service.secrets) secrets.insert(f.source);
    for (const auto& [model, options] : service.models) models.insert(model);
    if (service.build) {
      for (const FileReference& f : service.build->secrets) secrets.insert(f.source);
    }
  }
  keep(project.networks, networks);
  keep(project.volumes, volumes);
  keep(project.configs, configs);
  keep(project.secrets, secrets);
  keep(project.models, models);
}

}  // namespace stack::compose
