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

constexpr std::size_t kMaxDepth = 200;         // of services that extend services that extend ...
constexpr std::size_t kMaxCopied = 2'000'000;  // nodes: thousands of services on one large base

std::vector<std::string> service_names(const Node& services) {
  std::vector<std::string> names;
  for (const Entry& e : services.entries) names.push_back(e.key);
  return names;
}

}  // namespace

ModelLoader::Services::Services(Node* services, const Marks& its_marks, std::string its_path,
                                Scope its_scope)
    : map(services), marks(its_marks), path(std::move(its_path)), scope(std::move(its_scope)) {
  if (map == nullptr) return;
  for (std::size_t i = 0; i < map->entries.size(); ++i) index.emplace(map->entries[i].key, i);
}

Entry* ModelLoader::Services::find(const std::string& name) {
  const auto it = index.find(name);
  return it == index.end() ? nullptr : &map->entries[it->second];
}

void ModelLoader::extend_services(Node& document, const Marks& marks, const std::string& path,
                                  const Scope& scope) {
  Node* services = document.find("services");
  if (services == nullptr) return;
  const Report::Pass pass(report_, "extends");
  const auto extends = [](const Entry& e) { return e.value.find("extends") != nullptr; };
  if (std::none_of(services->entries.begin(), services->entries.end(), extends)) return;
  Services in(services, marks, path, scope);
  for (Entry& e : services->entries) {
    std::vector<Visit> visited;
    extend(in, e, visited);
  }
}

// Bases first. After an error the service goes without what it could not get.
void ModelLoader::extend(Services& in, Entry& service, std::vector<Visit>& visited) {
  const Node* found = service.value.find("extends");
  if (found == nullptr || in.done.contains(service.key)) return;
  const Visit here{in.path, service.key, service.key_place};
  const bool circular = std::find(visited.begin(), visited.end(), here) != visited.end();
  if (circular || visited.size() >= kMaxDepth) {
    std::string way = circular ? "Circular reference:" : "extends goes through too many services";
    for (std::size_t i = 0; circular && i <= visited.size(); ++i) {
      const Visit& v = i < visited.size() ? visited[i] : here;
      way += fmt::format("\n  {}{} in {}", i == 0 ? "" : "extends ", v.service, v.file);
    }
    report_.error(found->place, way);
    report_.damage("");
    return;
  }
  Node extends = *found;
  wrap(extends, "service");
  const std::optional<Base> base = find_base(in, service, extends);
  if (!base) {
    report_.damage("services." + service.key);
    service.value.erase("extends");
    in.done.insert(service.key);
    return;
  }
  visited.push_back(here);
  extend(*base->in, *base->service, visited);
  visited.pop_back();
  if (report_.damaged("services", base->service->key)) report_.damage("services." + service.key);
  if (!grow(count_nodes(base->service->value), extends.place)) return;

  Node result = base->service->value;
  if (!result.is_map()) result = Node::map(result.place);
  if (base->other_file) {
    resolve_service_paths(result, path_base(base->in->scope.directory, in.scope),
                          home_of(*in.scope.environment));
  }
  erase_marked(result, service.key, in.marks, report_);
  result.place = service.value.place;
  merge_service(result, std::move(service.value), service.key, report_);
  result.erase("extends");
  service.value = std::move(result);
  in.done.insert(service.key);
}

std::optional<ModelLoader::Base> ModelLoader::find_base(Services& in, const Entry& service,
                                                        const Node& extends) {
  const Node* name = extends.find("service");
  if (name == nullptr || !name->is_string()) {
    report_.error(extends.place, fmt::format("services.{}: extends.{}.service is required",
                                             service.key, service.key));
    return std::nullopt;
  }
  Base base{&in, nullptr, false};
  const Node* file = extends.find("file");
  if (file != nullptr && !file->is_null()) {
    const std::string path = join_path(in.scope.directory, file->text);
    Scope scope = in.scope;
    scope.directory = directory_of(path);
    base.other_file = true;
    base.in = other_file(path, service.key, scope, file->place);
    if (base.in == nullptr) return std::nullopt;
  }
  base.service = base.in->find(name->text);
  if (base.service != nullptr) return base;
  report_.error(
      name->place,
      fmt::format("cannot extend service \"{}\" in {}: service \"{}\" not found{}", service.key,
                  in.path, name->text, base.other_file ? " in " + file->text : ""),
      base.in->map == nullptr ? "" : did_you_mean(name->text, service_names(*base.in->map)));
  return std::nullopt;
}

// Counts copied nodes; false, reported once, when there are too many.
bool ModelLoader::grow(std::size_t nodes, Place at) {
  const bool was_good = copied_ <= kMaxCopied;
  copied_ += nodes;
  if (copied_ <= kMaxCopied) return true;
  if (was_good) {
    report_.error(at, fmt::format("extends copies more than {} values", kMaxCopied), {},
                  "too-large");
    report_.damage("");
  }
  return false;
}

// Another file in long form, read once; null when it cannot be read. Its `include` is not followed,
// and it need not be a whole project: what is made of it is validated.
ModelLoader::Services* ModelLoader::other_file(const std::string& path, const std::string& service,
                                               const Scope& scope, Place at) {
  const auto [known, inserted] = extended_.try_emplace(path);
  Extended& extended = known->second;
  if (!inserted) return extended.services ? &*extended.services : nullptr;
  const std::size_t before = report_.error_count();
  File file =
      open(path,
           sources_.chain(
               fmt::format("extended by service {} at {}", service, sources_.text_of(at)), at),
           at);
  for (Node& document : file.documents) {
    extended.marks = take_marks(document);
    pass(document, [&] { interpolate_values(document, scope); });
    erase_marked(extended.model, extended.marks, report_);
    pass(extended.model, [&] {
      merge_file(extended.model, std::move(document), report_);
      deduplicate(extended.model, report_);
    });
    pass(extended.model, [&] { check_forms(extended.model, report_); });
    pass(extended.model, [&] {
      canonicalise(extended.model, !options_.interpolate, report_);
      deduplicate(extended.model, report_);
    });
  }
  Node* services = extended.model.find("services");
  // Of a file that could not be read nothing is known.
  if (services == nullptr && report_.error_count() != before) return nullptr;
  return &extended.services.emplace(services, extended.marks, path, scope);
}

}  // namespace stack::compose
