// include: other projects whose services, networks, volumes, configs and secrets become part of
// this one.
#include <fmt/core.h>

#include <algorithm>

#include "compose/dotenv.h"
#include "compose/forms.h"
#include "compose/model_loader.h"
#include "compose/normalize.h"
#include "compose/paths.h"
#include "compose/trace.h"
#include "compose/validate.h"

namespace stack::compose {
namespace {

constexpr std::size_t kMaxDepth = 100;  // of files that include files that include ...

}  // namespace

void ModelLoader::include(Node& document, const Scope& scope) {
  const Node* list = document.find("include");
  if (list == nullptr) return;
  const Node items = *list;
  document.erase("include");
  if (items.is_null()) return;
  const Report::Pass pass(report_, "include");
  if (!items.is_list()) {
    report_.error(items.place, "`include` must be a list", {}, "wrong-type");
    report_.damage("");
    return;
  }
  for (const Node& item : items.items) {
    const std::size_t before = report_.error_count();
    include_one(document, item, scope);
    // What it would have brought is not known.
    if (report_.error_count() != before) report_.damage("");
  }
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
  const std::optional<std::vector<std::string>> files = included_files(*paths, scope);
  if (!files) return;
  const Node* given = item.find("project_directory");
  const std::string directory =
      given != nullptr ? join_path(scope.directory, given->text) : directory_of(files->front());
  const std::optional<StringMap> environment = included_environment(item, directory, scope);
  if (!environment) return;

  const Place at = paths->items[0].place;
  const std::vector<std::string> chain = sources_.chain("included by " + sources_.text_of(at), at);
  std::vector<File> opened;
  for (std::size_t i = 0; i < files->size(); ++i) {
    opened.push_back(open((*files)[i], chain, paths->items[i].place));
  }
  Node included = merge(std::move(opened), directory, *environment);
  keep_values_of_files(included, *environment);
  set_defaults(included);  // the build context left out is the included project's directory
  resolve_paths(included, included_base(given, directory, scope), home_of(*environment));
  import(document, std::move(included), item);
}

// A secret or config of an included project has its text from that project's environment.
void ModelLoader::keep_values_of_files(const Node& included, const StringMap& environment) {
  for (const char* section : {"configs", "secrets"}) {
    const Node* sources = included.find(section);
    if (sources == nullptr) continue;
    for (const Entry& source : sources->entries) {
      const Node* variable = source.value.find("environment");
      if (variable == nullptr) continue;
      const auto value = environment.find(variable->text);
      if (value != environment.end()) values_of_files_.insert(*value);
    }
  }
}

// What the paths of an included project stand under. As Docker Compose has it, a project directory
// that is none stands for the one that it is in.
std::string ModelLoader::included_base(const Node* given, const std::string& directory,
                                       const Scope& scope) const {
  if (given == nullptr) return path_base(directory, scope);
  if (given->text.starts_with('/')) return directory;
  const bool there = options_.file_kind(directory) == FileKind::kDirectory;
  return path_base(there ? directory : directory_of(directory), scope);
}

// Absolute; nothing, reported, when one is missing or on the way here already.
std::optional<std::vector<std::string>> ModelLoader::included_files(const Node& paths,
                                                                    const Scope& scope) {
  std::vector<std::string> files;
  for (const Node& p : paths.items) files.push_back(join_path(scope.directory, p.text));
  if (including_.size() >= kMaxDepth) {
    report_.error(paths.items[0].place,
                  fmt::format("include goes through more than {} files", kMaxDepth));
    return std::nullopt;
  }
  for (const std::string& f : files) {
    if (std::find(including_.begin(), including_.end(), f) == including_.end()) continue;
    std::string way;
    for (const std::string& i : including_)
      way += "\n" + std::string(way.empty() ? "" : " include ") + i;
    report_.error(paths.items[0].place,
                  fmt::format("include cycle detected:{}\n include {}", way, f));
    return std::nullopt;
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const FileKind kind = options_.file_kind(files[i]);
    if (kind == FileKind::kFile) continue;
    report_.error(paths.items[i].place,
                  kind == FileKind::kAbsent
                      ? fmt::format("open {}: no such file or directory", files[i])
                      : fmt::format("read {}: is a directory", files[i]));
    return std::nullopt;
  }
  return files;
}

// The includer's environment wins over the included project's own.
std::optional<StringMap> ModelLoader::included_environment(const Node& item,
                                                           const std::string& directory,
                                                           const Scope& scope) {
  StringMap environment = *scope.environment;
  std::vector<std::pair<std::string, Place>> env_files;
  if (const Node* list = item.find("env_file")) {
    for (const Node& f : list->items) {
      env_files.emplace_back(join_path(scope.directory, f.text), f.place);
    }
  } else if (options_.file_kind(directory + "/.env") == FileKind::kFile) {
    env_files.emplace_back(directory + "/.env", item.place);
  }
  StringMap own;
  for (const auto& [path, at] : env_files) {
    const Result<std::string> text = options_.read_file(path);
    if (!text.ok()) {
      const bool absent = options_.file_kind(path) == FileKind::kAbsent;
      report_.error(at, absent ? fmt::format("stat {}: no such file or directory", path)
                               : read_failure(path, text.error()));
      return std::nullopt;
    }
    const Result<EnvFile> parsed = parse_env_file(
        *text,
        [&](const std::string& name) -> const std::string* {
          const auto it = environment.find(name);
          return it == environment.end() ? nullptr : &it->second;
        },
        own);
    if (!parsed.ok()) {
      report_env_file(path, *text, parsed.error(), at);
      return std::nullopt;
    }
    for (std::size_t i = 0; i < parsed->values.size(); ++i) {
      const auto& [key, value] = parsed->values[i];
      own[key] = value;
      if (Trace* trace = report_.trace()) trace->included({key, value, path, parsed->lines[i]});
    }
  }
  environment.insert(own.begin(), own.end());
  return environment;
}

// An error inside an environment file, at its own place.
void ModelLoader::report_env_file(const std::string& path, const std::string& text,
                                  const Error& error, Place asked_at) {
  const std::int32_t number = sources_.add(
      path, text, sources_.chain("read by include at " + sources_.text_of(asked_at), asked_at));
  const SourceLoc where = error.where.value_or(SourceLoc{});
  report_.error({number, where.line, where.column},
                fmt::format("failed to read {}: {}", path, error.message), {}, "env-file");
}

void ModelLoader::import(Node& document, Node included, const Node& item) {
  for (const char* kind : {"services", "networks", "volumes", "configs", "secrets", "models"}) {
    Node* objects = included.find(kind);
    if (objects == nullptr || !objects->is_map()) continue;
    Node* ours = document.find(kind);
    if (ours == nullptr || ours->is_null()) ours = &document.set(kind, Node::map(objects->place));
    if (!ours->is_map()) continue;  // validation says it
    const MapIndex index(*ours, objects->entries.size());
    for (Entry& e : objects->entries) {
      const auto mine = index.find(*ours, e.key);
      if (!mine) {
        ours->entries.push_back(std::move(e));
      } else if (!same_content(ours->entries[*mine].value, e.value)) {
        report_.error(item.place,
                      fmt::format("{}.{} conflicts with imported resource", kind, e.key),
                      fmt::format("it is also defined at {}; change it in a later -f file or in "
                                  "compose.override.yaml instead",
                                  sources_.text_of(e.key_place)),
                      "include-conflict");
      }
    }
  }
}

}  // namespace stack::compose
