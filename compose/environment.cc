#include "compose/environment.h"

#include <fmt/core.h>

#include "compose/dotenv.h"

namespace stack::compose {
namespace {

class EnvironmentResolver {
 public:
  EnvironmentResolver(Project& project, const LoadOptions& options, Report& report)
      : project_(project), options_(options), report_(report) {}

  void service(Service& s, const Node& node) {
    inherit(s.environment);
    if (const Node* files = node.find("env_file")) {
      StringMap values;
      for (const Node& f : files->items) env_file(f, s, values);
      for (auto& [key, value] : values) s.environment.emplace(key, value);
    }
    if (const Node* files = node.find("label_file")) {
      StringMap labels;
      for (const Node& f : files->items) label_file(f, labels);
      s.labels.insert(labels.begin(), labels.end());
    }
  }

 private:
  void inherit(Environment& values) const {
    for (auto& [key, value] : values) {
      if (value) continue;
      const auto found = project_.environment.find(key);
      if (found != project_.environment.end()) value = found->second;
    }
  }

  void env_file(const Node& file, const Service& s, StringMap& values) {
    const Node* path = file.find("path");
    if (path == nullptr) return;
    const Node* required = file.find("required");
    if (options_.file_kind(path->text) == FileKind::kAbsent) {
      if (required != nullptr && required->text == "false") return;
      report_.error(path->place,
                    fmt::format("env file {} not found: stat {}: no such file or directory",
                                path->text, path->text),
                    "create it, or write {path: ..., required: false}");
      return;
    }
    const Node* format = file.find("format");
    const bool raw = format != nullptr && format->text == "raw";
    read(*path, values, raw, [&](const std::string& name) -> const std::string* {
      const auto outer = project_.environment.find(name);
      if (outer != project_.environment.end()) return &outer->second;
      const auto own = s.environment.find(name);
      return own != s.environment.end() && own->second ? &*own->second : nullptr;
    });
  }

  void label_file(const Node& path, StringMap& labels) {
    if (options_.file_kind(path.text) == FileKind::kAbsent) {
      report_.error(path.place, fmt::format("label file {} not found: stat {}: no such file or "
                                            "directory",
                                            path.text, path.text));
      return;
    }
    read(path, labels, false, [](const std::string&) -> const std::string* { return nullptr; });
  }

  void read(const Node& path, StringMap& values, bool raw, const Lookup& lookup) {
    const Result<std::string> text = options_.read_file(path.text);
    if (!text.ok()) {
      report_.error(path.place, text.error().to_string());
      return;
    }
    Result<EnvFile> parsed =
        raw ? parse_raw_env_file(*text, lookup) : parse_env_file(*text, lookup, values);
    if (!parsed.ok()) {
      const int line = parsed.error().where ? parsed.error().where->line : 0;
      report_.error(path.place,
                    fmt::format("failed to read {}: {}", path.text, parsed.error().message),
                    line > 0 ? fmt::format("see {}:{}", path.text, line) : "");
      return;
    }
    for (auto& [key, value] : parsed->values) values[key] = std::move(value);
    for (const std::string& name : parsed->unset) {
      report_.warning(
          path.place,
          fmt::format("The \"{}\" variable is not set. Defaulting to a blank string.", name));
    }
  }

  Project& project_;
  const LoadOptions& options_;
  Report& report_;
};

}  // namespace

void resolve_environment(Project& project, const Node& root, const LoadOptions& options,
                         Report& report) {
  const Node* services = root.find("services");
  if (services == nullptr) return;
  EnvironmentResolver resolver(project, options, report);
  for (const Entry& e : services->entries) {
    const auto it = project.services.find(e.key);
    if (it != project.services.end()) resolver.service(it->second, e.value);
  }
}

}  // namespace stack::compose
