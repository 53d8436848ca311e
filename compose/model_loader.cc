#include "compose/model_loader.h"

#include <fmt/core.h>

#include <algorithm>

#include "compose/canonical.h"
#include "compose/merge.h"
#include "compose/paths.h"
#include "compose/substitute.h"
#include "compose/validate.h"
#include "compose/yaml_tree.h"

namespace stack::compose {

ModelLoader::File ModelLoader::open(const std::string& path) {
  File file;
  file.path = path;
  Result<std::string> text = options_.read_file(path);
  if (!text.ok()) {
    const bool absent = path != "-" && options_.file_kind(path) == FileKind::kAbsent;
    report_.error({}, absent ? fmt::format("open {}: no such file or directory", path)
                             : text.error().to_string());
    return file;
  }
  file.number = sources_.add(path == "-" ? "<stdin>" : path, std::move(text).value());
  file.documents = parse_yaml(sources_.file(file.number)->text, file.number, report_);
  return file;
}

const Node* ModelLoader::project_name(const std::vector<File>& files) {
  const Node* name = nullptr;
  for (const File& f : files) {
    for (const Node& document : f.documents) {
      const Node* n = document.find("name");
      if (n != nullptr && n->is_string() && !n->text.empty()) name = n;
    }
  }
  return name;
}

void ModelLoader::warn_version(Node& document) {
  if (const Node* version = document.find("version")) {
    report_.warning(version->place,
                    "the attribute `version` is obsolete, it will be ignored, please remove it to "
                    "avoid potential confusion");
    document.erase("version");
  }
}

// Interpolates, validates and canonicalises; false when that found errors.
bool ModelLoader::prepare(Node& document, const Scope& scope) {
  if (!document.is_map()) {
    report_.error(document.place, "top-level object must be a mapping");
    return false;
  }
  const std::size_t before = report_.error_count();
  if (options_.interpolate) {
    const Lookup lookup = [&](const std::string& name) -> const std::string* {
      const auto it = scope.environment->find(name);
      return it == scope.environment->end() ? nullptr : &it->second;
    };
    substitute(document, lookup, report_);
  } else {
    cast_values(document, report_);
  }
  validate_file(document, report_);
  if (report_.error_count() != before) return false;
  canonicalise(document, report_);
  return report_.error_count() == before;
}

Node ModelLoader::merge(std::vector<File> files, const std::string& directory,
                        const StringMap& environment) {
  Node model = Node::map();
  const Scope scope{directory, &environment};
  for (File& file : files) {
    including_.push_back(file.path);
    for (Node& document : file.documents) {
      if (!prepare(document, scope)) continue;
      warn_version(document);
      extend_services(document, file.path, scope);
      include(document, scope);
      if (model.entries.empty()) {
        model = std::move(document);
      } else {
        merge_file(model, std::move(document), report_);
      }
      settle_file(model);
    }
    including_.pop_back();
  }
  return model;
}

}  // namespace stack::compose
