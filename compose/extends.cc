// services.*.extends: a service takes everything of another one and is merged over it.
#include <fmt/core.h>

#include <algorithm>

#include "compose/merge.h"
#include "compose/model_loader.h"
#include "compose/paths.h"

namespace stack::compose {
namespace {

std::vector<std::string> service_names(const Node& services) {
  std::vector<std::string> names;
  for (const Entry& e : services.entries) names.push_back(e.key);
  return names;
}

std::string home_of(const StringMap& environment) {
  const auto it = environment.find("HOME");
  return it == environment.end() ? "" : it->second;
}

}  // namespace

void ModelLoader::extend_services(Node& document, const std::string& path, const Scope& scope) {
  Node* services = document.find("services");
  if (services == nullptr) return;
  std::set<std::string> done;
  for (Entry& e : services->entries) {
    std::vector<Visit> visited;
    if (!extend(*services, e, path, scope, visited, done)) return;
  }
}

// Bases first. False after an error.
bool ModelLoader::extend(Node& services, Entry& service, const std::string& path,
                         const Scope& scope, std::vector<Visit>& visited,
                         std::set<std::string>& done) {
  const Node* found = service.value.find("extends");
  if (found == nullptr || done.count(service.key) > 0) return true;
  const Visit here{path, service.key, service.key_place};
  const bool circular = std::find(visited.begin(), visited.end(), here) != visited.end();
  visited.push_back(here);
  if (circular) {
    std::string way;
    for (const Visit& v : visited) {
      way += fmt::format("\n  {}{} in {}", way.empty() ? "" : "extends ", v.service, v.file);
    }
    report_.error(found->place, "Circular reference:" + way);
    return false;
  }
  const Node extends = *found;
  const Node* base_name = extends.find("service");
  if (base_name == nullptr) {
    report_.error(extends.place, fmt::format("services.{}: extends.{}.service is required",
                                             service.key, service.key));
    return false;
  }
  const Node* file = extends.find("file");
  Node* base_services = &services;
  std::string base_path = path;
  Scope base_scope = scope;
  std::set<std::string>* base_done = &done;
  if (file != nullptr && !file->text.empty()) {
    base_path = join_path(scope.directory, file->text);
    base_scope.directory = directory_of(base_path);
    Node* document = other_file(base_path, base_scope, file->place);
    if (document == nullptr) return false;
    base_services = document->find("services");
    base_done = &extended_done_[base_path];
  }
  Entry* base = nullptr;
  if (base_services != nullptr) {
    for (Entry& e : base_services->entries) {
      if (e.key == base_name->text) base = &e;
    }
  }
  if (base == nullptr) {
    report_.error(
        base_name->place,
        fmt::format("cannot extend service \"{}\" in {}: service \"{}\" not found{}", service.key,
                    path, base_name->text, file != nullptr ? " in " + file->text : ""),
        base_services == nullptr ? ""
                                 : did_you_mean(base_name->text, service_names(*base_services)));
    return false;
  }
  if (!extend(*base_services, *base, base_path, base_scope, visited, *base_done)) return false;
  visited.pop_back();

  Node result = base->value;
  if (file != nullptr) {
    resolve_service_paths(result, base_scope.directory, home_of(*scope.environment));
  }
  result.place = service.value.place;
  service.value.erase("extends");
  merge_service(result, std::move(service.value), service.key, report_);
  result.erase("extends");
  service.value = std::move(result);
  done.insert(service.key);
  return true;
}

// The services of another file, prepared once. Its `include` is not followed.
Node* ModelLoader::other_file(const std::string& path, const Scope& scope, Place at) {
  const auto known = extended_.find(path);
  if (known != extended_.end()) return &known->second;
  if (options_.file_kind(path) == FileKind::kAbsent) {
    report_.error(at, fmt::format("open {}: no such file or directory", path));
    return nullptr;
  }
  File file = open(path, sources_.chain("extended at " + sources_.text_of(at), at), at);
  Node model = Node::map();
  for (Node& document : file.documents) {
    if (!prepare(document, scope)) return nullptr;
    warn_version(document);
    merge_file(model, std::move(document), report_);
  }
  return &extended_.emplace(path, std::move(model)).first->second;
}

}  // namespace stack::compose
