// services.*.extends: a service takes everything of another one and is merged over it.
#include <fmt/core.h>

#include <algorithm>

#include "compose/canonical.h"
#include "compose/forms.h"
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

void ModelLoader::extend_services(Node& document, const Marks& marks, const std::string& path,
                                  const Scope& scope) {
  Node* services = document.find("services");
  if (services == nullptr) return;
  std::set<std::string> done;
  for (Entry& e : services->entries) {
    std::vector<Visit> visited;
    if (!extend({services, &marks, &done, path, scope}, e, visited)) return;
  }
}

// Bases first. False after an error.
bool ModelLoader::extend(const Services& in, Entry& service, std::vector<Visit>& visited) {
  const Node* found = service.value.find("extends");
  if (found == nullptr || in.done->count(service.key) > 0) return true;
  const Visit here{in.path, service.key, service.key_place};
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
  Node extends = *found;
  wrap(extends, "service");
  const Node* base_name = extends.find("service");
  if (base_name == nullptr || !base_name->is_string()) {
    report_.error(extends.place, fmt::format("services.{}: extends.{}.service is required",
                                             service.key, service.key));
    return false;
  }
  const Node* file = extends.find("file");
  Services base_in = in;
  if (file != nullptr && !file->is_null()) {
    base_in.path = join_path(in.scope.directory, file->text);
    base_in.scope.directory = directory_of(base_in.path);
    Extended* other = other_file(base_in.path, base_in.scope, file->place);
    if (other == nullptr) return false;
    base_in.map = other->model.find("services");
    base_in.marks = &other->marks;
    base_in.done = &other->done;
  }
  Entry* base = nullptr;
  if (base_in.map != nullptr) {
    for (Entry& e : base_in.map->entries) {
      if (e.key == base_name->text) base = &e;
    }
  }
  if (base == nullptr) {
    report_.error(
        base_name->place,
        fmt::format("cannot extend service \"{}\" in {}: service \"{}\" not found{}", service.key,
                    in.path, base_name->text, file != nullptr ? " in " + file->text : ""),
        base_in.map == nullptr ? "" : did_you_mean(base_name->text, service_names(*base_in.map)));
    return false;
  }
  if (!extend(base_in, *base, visited)) return false;
  visited.pop_back();

  Node result = base->value;
  if (!result.is_map()) result = Node::map(base->value.place);
  if (file != nullptr) {
    resolve_service_paths(result, base_in.scope.directory, home_of(*in.scope.environment));
  }
  erase_marked(result, service.key, *in.marks);
  result.place = service.value.place;
  merge_service(result, std::move(service.value), service.key, report_);
  result.erase("extends");
  service.value = std::move(result);
  in.done->insert(service.key);
  return true;
}

// Another file in long form, read once. Its `include` is not followed, and it need not be a whole
// project: what is made of it is validated.
ModelLoader::Extended* ModelLoader::other_file(const std::string& path, const Scope& scope,
                                               Place at) {
  const auto known = extended_.find(path);
  if (known != extended_.end()) return &known->second;
  const FileKind kind = options_.file_kind(path);
  if (kind != FileKind::kFile) {
    report_.error(at, kind == FileKind::kAbsent
                          ? fmt::format("open {}: no such file or directory", path)
                          : fmt::format("read {}: is a directory", path));
    return nullptr;
  }
  File file = open(path, sources_.chain("extended at " + sources_.text_of(at), at), at);
  Extended extended;
  extended.model = Node::map();
  const std::size_t before = report_.error_count();
  for (Node& document : file.documents) {
    extended.marks = take_marks(document);
    if (!interpolate_values(document, scope)) return nullptr;
    erase_marked(extended.model, extended.marks);
    merge_file(extended.model, std::move(document), report_);
    deduplicate(extended.model, report_);
    canonicalise(extended.model, !options_.interpolate, report_);
    deduplicate(extended.model, report_);
  }
  if (report_.error_count() != before) return nullptr;
  return &extended_.emplace(path, std::move(extended)).first->second;
}

}  // namespace stack::compose
