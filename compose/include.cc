// include: other projects whose services, networks, volumes, configs and secrets become part of
// this one.
#include <fmt/core.h>

#include <algorithm>

#include "compose/dotenv.h"
#include "compose/forms.h"
#include "compose/model_loader.h"
#include "compose/paths.h"
#include "compose/validate.h"

namespace stack::compose {
namespace {

std::string home_of(const StringMap& environment) {
  const auto it = environment.find("HOME");
  return it == environment.end() ? "" : it->second;
}

}  // namespace

void ModelLoader::include(Node& document, const Scope& scope) {
  const Node* list = document.find("include");
  if (list == nullptr) return;
  const Node items = *list;
  document.erase("include");
  if (items.is_null()) return;
  if (!items.is_list()) {
    report_.error(items.place, "`include` must be a list");
    return;
  }
  for (const Node& item : items.items) include_one(document, item, scope);
}

void ModelLoader::include_one(Node& document, Node item, const Scope& scope) {
  wrap(item, "path");
  to_list(item.find("path"));
  to_list(item.find("env_file"));
  const std::size_t before = report_.error_count();
  validate_include(item, report_);
  if (report_.error_count() != before) return;
  for (const Entry& e : item.entries) {
    if (e.key == "path" || e.key == "env_file" || e.key == "project_directory") continue;
    report_.warning(e.key_place, fmt::format("include: `{}` means nothing", e.key),
                    did_you_mean(e.key, {"path", "env_file", "project_directory"}));
  }
  const Node* paths = item.find("path");
  if (paths == nullptr || paths->items.empty()) {
    report_.warning(item.place, "include: without `path` nothing is included");
    return;
  }
  std::vector<std::string> files;
  for (const Node& p : paths->items) files.push_back(join_path(scope.directory, p.text));
  for (const std::string& f : files) {
    if (std::find(including_.begin(), including_.end(), f) != including_.end()) {
      std::string way;
      for (const std::string& i : including_)
        way += "\n" + std::string(way.empty() ? "" : " include ") + i;
      report_.error(paths->items[0].place,
                    fmt::format("include cycle detected:{}\n include {}", way, f));
      return;
    }
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const FileKind kind = options_.file_kind(files[i]);
    if (kind == FileKind::kFile) continue;
    report_.error(paths->items[i].place,
                  kind == FileKind::kAbsent
                      ? fmt::format("open {}: no such file or directory", files[i])
                      : fmt::format("read {}: is a directory", files[i]));
    return;
  }
  const Node* given = item.find("project_directory");
  const std::string directory =
      given != nullptr ? join_path(scope.directory, given->text) : directory_of(files[0]);

  // The includer's environment wins over the included project's own.
  StringMap environment = *scope.environment;
  std::vector<std::string> env_files;
  const Node* env_file = item.find("env_file");
  if (env_file != nullptr) {
    for (const Node& f : env_file->items) env_files.push_back(join_path(scope.directory, f.text));
  } else if (options_.file_kind(directory + "/.env") == FileKind::kFile) {
    env_files.push_back(directory + "/.env");
  }
  StringMap own;
  for (const std::string& path : env_files) {
    Result<std::string> text = options_.read_file(path);
    if (!text.ok()) {
      report_.error(item.place, fmt::format("stat {}: no such file or directory", path));
      return;
    }
    Result<EnvFile> parsed = parse_env_file(
        *text,
        [&](const std::string& name) -> const std::string* {
          const auto it = environment.find(name);
          return it == environment.end() ? nullptr : &it->second;
        },
        own);
    if (!parsed.ok()) {
      report_.error(item.place, fmt::format("failed to read {}: {}", path, parsed.error().message));
      return;
    }
    for (const auto& [key, value] : parsed->values) own[key] = value;
  }
  environment.insert(own.begin(), own.end());

  std::vector<File> opened;
  const Place at = paths->items[0].place;
  for (const std::string& f : files) {
    opened.push_back(open(f, sources_.chain("included by " + sources_.text_of(at), at), at));
  }
  Node included = merge(std::move(opened), directory, environment);
  resolve_paths(included, directory, home_of(environment));
  import(document, std::move(included), item);
}

void ModelLoader::import(Node& document, Node included, const Node& item) {
  for (const char* kind : {"services", "networks", "volumes", "configs", "secrets", "models"}) {
    Node* objects = included.find(kind);
    if (objects == nullptr || !objects->is_map()) continue;
    Node* ours = document.find(kind);
    if (ours == nullptr || ours->is_null()) ours = &document.set(kind, Node::map(objects->place));
    if (!ours->is_map()) continue;  // validation says it
    for (Entry& e : objects->entries) {
      const Node* mine = ours->find(e.key);
      if (mine == nullptr) {
        ours->entries.push_back(std::move(e));
      } else if (!same_content(*mine, e.value)) {
        const SourceLoc there = sources_.loc(e.key_place);
        report_.error(
            item.place, fmt::format("{}.{} conflicts with imported resource", kind, e.key),
            fmt::format("it is also defined at {}:{}:{}; change it in a later -f file or in "
                        "compose.override.yaml instead",
                        there.file, there.line, there.column));
      }
    }
  }
}

}  // namespace stack::compose
