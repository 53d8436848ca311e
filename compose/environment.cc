#include "compose/environment.h"

#include <fmt/core.h>

#include "compose/dotenv.h"
#include "compose/paths.h"

namespace stack::compose {
namespace {

class EnvironmentResolver {
 public:
  EnvironmentResolver(Project& project, const LoadOptions& options, Sources& sources,
                      Report& report)
      : project_(project), options_(options), sources_(sources), report_(report) {}

  void service(Service& s, const Node& node) {
    inherit(s.environment);
    const Node* env_files = options_.read_env_files ? node.find("env_file") : nullptr;
    if (env_files != nullptr) {
      StringMap values;
      for (const Node& f : env_files->items) env_file(f, s, values);
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
                    "create it, or write {path: ..., required: false}", "file");
      return;
    }
    const Node* format = file.find("format");
    const bool raw = format != nullptr && format->text == "raw";
    if (format != nullptr && !raw && !format->text.empty()) {
      report_.error(format->place, fmt::format("unsupported env_file format \"{}\"", format->text),
                    "leave it out, or write raw");
      return;
    }
    read(*path, values, raw, [&](const std::string& name) -> const std::string* {
      const auto outer = project_.environment.find(name);
      if (outer != project_.environment.end()) return &outer->second;
      const auto own = s.environment.find(name);
      return own != s.environment.end() && own->second ? &*own->second : nullptr;
    });
  }

  void label_file(const Node& path, StringMap& labels) {
    if (options_.file_kind(path.text) == FileKind::kAbsent) {
      report_.error(path.place,
                    fmt::format("label file {} not found: stat {}: no such file or "
                                "directory",
                                path.text, path.text),
                    {}, "file");
      return;
    }
    read(path, labels, false, [](const std::string&) -> const std::string* { return nullptr; });
  }

  void read(const Node& path, StringMap& values, bool raw, const Lookup& lookup) {
    const Result<std::string> text = options_.read_file(path.text);
    if (!text.ok()) {
      report_.error(
          path.place,
          fmt::format("failed to read {}: {}", path.text, read_failure(path.text, text.error())),
          {}, "file");
      return;
    }
    Result<EnvFile> parsed =
        raw ? parse_raw_env_file(*text, lookup) : parse_env_file(*text, lookup, values);
    if (!parsed.ok()) {
      const SourceLoc where = parsed.error().where.value_or(SourceLoc{});
      report_.error({add(path, *text), where.line, where.column},
                    fmt::format("failed to read {}: {}", path.text, parsed.error().message), {},
                    "env-file");
      return;
    }
    for (auto& [key, value] : parsed->values) values[key] = std::move(value);
    if (parsed->unset.empty()) return;
    const std::int32_t file = add(path, *text);
    for (const UnsetVariable& u : parsed->unset) {
      report_.warning(
          sources_.place(file, u.offset),
          fmt::format("The \"{}\" variable is not set. Defaulting to a blank string.", u.name), {},
          "unset-variable");
    }
  }

  // Its number as a source.
  std::int32_t add(const Node& path, std::string text) {
    return sources_.add(path.text, std::move(text),
                        sources_.chain("read for " + sources_.text_of(path.place), path.place));
  }

  Project& project_;
  const LoadOptions& options_;
  Sources& sources_;
  Report& report_;
};

}  // namespace

void resolve_environment(Project& project, const Node& root, const LoadOptions& options,
                         Sources& sources, Report& report) {
  const Node* services = root.find("services");
  if (services == nullptr) return;
  EnvironmentResolver resolver(project, options, sources, report);
  for (const Entry& e : services->entries) {
    const auto it = project.services.find(e.key);
    if (it != project.services.end()) resolver.service(it->second, e.value);
  }
}

}  // namespace stack::compose
