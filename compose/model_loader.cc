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

namespace {

// The largest real ones have some hundred KiB; this much takes about a second.
constexpr std::size_t kMaxFileSize = 8U << 20U;

// The byte order mark is no part of the first line, and a lone carriage return ends one.
void normalize_text(std::string& text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  for (std::size_t at = text.find('\r'); at != std::string::npos; at = text.find('\r', at + 1)) {
    if (at + 1 == text.size() || text[at + 1] != '\n') text[at] = '\n';
  }
}

}  // namespace

ModelLoader::File ModelLoader::open(const std::string& path, std::vector<std::string> chain,
                                    Place asked_at) {
  File file;
  file.path = path;
  Result<std::string> text = options_.read_file(path);
  const bool absent = !text.ok() && path != "-" && options_.file_kind(path) == FileKind::kAbsent;
  if (!text.ok() || text->size() > kMaxFileSize) {
    const std::string why =
        text.ok() ? fmt::format("{} is larger than the limit of {} MiB", path, kMaxFileSize >> 20U)
        : absent  ? fmt::format("open {}: no such file or directory", path)
                  : read_failure(path, text.error());
    report_.error(asked_at, why, {}, "file");
    report_.damage("");
    return file;
  }
  normalize_text(*text);
  file.number =
      sources_.add(path == "-" ? "<stdin>" : path, std::move(text).value(), std::move(chain));
  const Report::Pass pass(report_, "yaml");
  const std::size_t before = report_.error_count();
  file.documents = parse_yaml(file.number, report_);
  if (report_.error_count() != before) report_.damage("");
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

std::string ModelLoader::path_base(const std::string& directory, const Scope& scope) const {
  return options_.resolve_paths ? directory : relative_path(directory, scope.directory);
}

void ModelLoader::drop_version(Node& model) {
  if (const Node* version = model.find("version")) {
    report_.note(version->place,
                 "the attribute `version` is obsolete, it will be ignored, please remove it to "
                 "avoid potential confusion",
                 {}, "obsolete");
    model.erase("version");
  }
}

void ModelLoader::interpolate_values(Node& document, const Scope& scope) {
  if (!document.is_map()) {
    report_.error(document.place, "top-level object must be a mapping",
                  "a Compose file begins with `services:`", "wrong-type");
    report_.damage("");
    document = Node::map(document.place);
    return;
  }
  if (!options_.interpolate) return;
  const Lookup lookup = [&](const std::string& name) -> const std::string* {
    const auto it = scope.environment->find(name);
    return it == scope.environment->end() ? nullptr : &it->second;
  };
  substitute(document, lookup, report_);
}

void ModelLoader::add(Node& model, Node document, const std::string& path, const Scope& scope) {
  const Marks marks = take_marks(document);
  pass(document, [&] { interpolate_values(document, scope); });
  pass(document, [&] { extend_services(document, marks, path, scope); });
  erase_marked(model, marks, report_);
  include(document, scope);
  pass(model, [&] {
    merge_file(model, std::move(document), report_);
    deduplicate(model, report_);
  });
  pass(model, [&] { validate(model, report_); });
  drop_version(model);
  pass(model, [&] {
    canonicalise(model, !options_.interpolate, report_);
    deduplicate(model, report_);
  });
}

Node ModelLoader::merge(std::vector<File> files, const std::string& directory,
                        const StringMap& environment) {
  Node model = Node::map();
  const Scope scope{directory, &environment};
  for (File& file : files) {
    including_.push_back(file.path);
    for (Node& document : file.documents) add(model, std::move(document), file.path, scope);
    including_.pop_back();
  }
  return model;
}

}  // namespace stack::compose
