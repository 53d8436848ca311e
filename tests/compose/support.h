// A project directory in memory, and what the loader says about it.
#pragma once

#include <map>
#include <string>

#include "compose/loader.h"

namespace stack::compose::test {

using Files = std::map<std::string, std::string>;  // path relative to /proj (or absolute) -> text

inline LoadOptions options_for(const Files& files) {
  LoadOptions options;
  options.working_directory = "/proj";
  const auto absolute = [](const std::string& p) { return p[0] == '/' ? p : "/proj/" + p; };
  Files all;
  for (const auto& [path, text] : files) all[absolute(path)] = text;
  options.read_file = [all](const std::string& path) -> Result<std::string> {
    const auto it = all.find(path);
    if (it == all.end()) return Error::not_found(path);
    return it->second;
  };
  options.file_kind = [all](const std::string& path) {
    if (all.count(path) > 0) return FileKind::kFile;
    const auto below = all.lower_bound(path + "/");
    const bool directory = below != all.end() && below->first.rfind(path + "/", 0) == 0;
    return directory ? FileKind::kDirectory : FileKind::kAbsent;
  };
  return options;
}

// The rendered errors, a line between them; "" when it loads.
inline std::string errors_of(const LoadOptions& options) {
  const auto outcome = load(options);
  const auto* errors = std::get_if<LoadErrors>(&outcome);
  if (errors == nullptr) return "";
  std::string out;
  for (const Diagnostic& d : *errors) {
    if (d.severity == Diagnostic::Severity::kError) out += render(d) + "\n";
  }
  return out;
}
inline std::string errors_of(const std::string& text) {
  return errors_of(options_for({{"compose.yaml", text}}));
}

inline LoadResult loaded(const LoadOptions& options) {
  auto outcome = load(options);
  if (auto* errors = std::get_if<LoadErrors>(&outcome)) {
    LoadResult failed;
    failed.project.name = "FAILED: " + render(*errors, Diagnostic::Severity::kError);
    return failed;
  }
  return std::move(std::get<LoadResult>(outcome));
}
inline LoadResult loaded(const std::string& text) {
  return loaded(options_for({{"compose.yaml", text}}));
}

}  // namespace stack::compose::test
