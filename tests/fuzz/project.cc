// Whole projects: the input is split at lines "%%" into compose.yaml, an override, .env and a file
// to extend and include.
#include <cstdlib>
#include <map>
#include <string>

#include "compose/config_hash.h"
#include "compose/explain.h"
#include "compose/loader.h"
#include "compose/render.h"
#include "tests/fuzz/input.h"

using namespace stack::compose;

namespace {

LoadOptions options_for(std::string_view text) {
  static constexpr const char* kNames[] = {"compose.yaml", "compose.override.yaml", ".env",
                                           "base.yaml"};
  std::map<std::string, std::string> files;
  for (const char* name : kNames) {
    const std::size_t end = text.find("%%\n");
    files[std::string("/proj/") + name] = text.substr(0, end);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 3);
  }
  LoadOptions options;
  options.working_directory = "/proj";
  options.lint = true;
  options.read_file = [files](const std::string& path) -> stack::Result<std::string> {
    const auto it = files.find(path);
    if (it == files.end()) return stack::Error::not_found(path);
    return it->second;
  };
  options.file_kind = [files](const std::string& path) {
    return files.contains(path) ? FileKind::kFile : FileKind::kAbsent;
  };
  return options;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const LoadOptions options = options_for(stack::fuzz::text_of(data, size));
  const auto loaded = load(options);
  if (const auto* errors = std::get_if<LoadErrors>(&loaded)) {
    if (errors->empty()) std::abort();
    (void)render(*errors, Diagnostic::Severity::kNote);
    (void)to_json(*errors);
    return 0;
  }
  const Project& project = std::get<LoadResult>(loaded).project;
  // What the engine gets is what was loaded.
  const auto again = load_canonical(to_json(project));
  if (!again.ok()) std::abort();
  (void)to_yaml(project);
  for (const auto& [name, service] : project.services) (void)config_hash(service);
  (void)explain(options, "services");
  return 0;
}
