#include "compose/loader.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "compose/bind.h"
#include "compose/check.h"
#include "compose/discover.h"
#include "compose/environment.h"
#include "compose/explainer.h"
#include "compose/interpolate.h"
#include "compose/json.h"
#include "compose/lint.h"
#include "compose/merge.h"
#include "compose/model_loader.h"
#include "compose/normalize.h"
#include "compose/paths.h"
#include "compose/support.h"
#include "compose/unfold.h"
#include "compose/yaml_print.h"

namespace stack::compose {
namespace {

// The name as the files say it, else the directory's.
std::string name_from_files(const std::vector<ModelLoader::File>& files, const Discovered& found,
                            bool interpolated) {
  const Node* name = ModelLoader::project_name(files);
  if (name == nullptr) return found.default_name;
  if (!interpolated) return normalized_project_name(name->text);
  const Interpolated text =
      interpolate(name->text, [&](const std::string& variable) -> const std::string* {
        const auto it = found.environment.find(variable);
        return it == found.environment.end() ? nullptr : &it->second;
      });
  // Errors are reported when the whole file is interpolated.
  return normalized_project_name(text.text);
}

bool is_active(const Service& s, const std::vector<std::string>& profiles,
               const std::vector<std::string>& named) {
  if (s.profiles.empty()) return true;
  if (std::find(named.begin(), named.end(), s.name) != named.end()) return true;
  return std::any_of(profiles.begin(), profiles.end(), [&](const std::string& p) {
    return p == "*" || std::find(s.profiles.begin(), s.profiles.end(), p) != s.profiles.end();
  });
}

void apply_profiles(Project& project, const std::vector<std::string>& profiles,
                    const std::vector<std::string>& named) {
  for (auto it = project.services.begin(); it != project.services.end();) {
    if (is_active(it->second, profiles, named)) {
      ++it;
    } else {
      project.disabled_services.insert(project.services.extract(it++));
    }
  }
}

class Loading {
 public:
  Loading(const LoadOptions& options, Discovered found)
      : options_(options),
        found_(std::move(found)),
        report_(sources_),
        models_(options_, sources_, report_) {}

  std::variant<LoadResult, LoadErrors> run() {
    for (const std::string& w : found_.warnings) report_.warning({}, w, {}, "discovery");
    std::vector<ModelLoader::File> files = open_files();
    Project project;
    set_name(project, files);
    root_ = models_.merge(std::move(files), found_.directory, found_.environment);
    build(project, root_);
    if (report_.failed()) return report_.take();
    return LoadResult{std::move(project), report_.take()};
  }

  // The merged tree before it becomes a model.
  std::variant<Node, LoadErrors> document() {
    std::vector<ModelLoader::File> files = open_files();
    Project named;
    set_name(named, files);
    Node root = models_.merge(std::move(files), found_.directory, found_.environment);
    complete(named.name, root);
    if (report_.failed()) return report_.take();
    if (options_.normalize) root.set("name", Node::string(named.name));
    return root;
  }

  std::variant<std::vector<Explanation>, LoadErrors> explain(const std::string& subject) {
    Trace trace;
    report_.set_trace(&trace);
    const auto loaded = run();
    if (const auto* errors = std::get_if<LoadErrors>(&loaded)) return *errors;
    const Project& project = std::get<LoadResult>(loaded).project;
    Result<std::vector<Explanation>> answer =
        explain_subject({options_, sources_, trace, project, root_, found_.values}, subject);
    if (answer.ok()) return std::move(answer).value();
    report_.error({}, answer.error().message, answer.error().remedy, "no-such-value");
    return report_.take();
  }

  std::string file_name() { return name_from_files(open_files(), found_, true); }

 private:
  std::vector<ModelLoader::File> open_files() {
    std::vector<ModelLoader::File> files;
    for (const std::string& path : found_.files) {
      std::vector<std::string> chain;
      if (!files.empty()) chain.push_back("put over " + files.back().path);
      files.push_back(models_.open(path, std::move(chain)));
    }
    const bool empty = std::all_of(files.begin(), files.end(),
                                   [](const ModelLoader::File& f) { return f.documents.empty(); });
    if (empty && !report_.failed()) {
      report_.error({}, "empty compose file", "a Compose file begins with `services:`", "empty");
    }
    return files;
  }

  void set_name(Project& project, const std::vector<ModelLoader::File>& files) {
    project.name = !found_.explicit_name.empty()
                       ? found_.explicit_name
                       : name_from_files(files, found_, options_.interpolate);
    if (project.name.empty()) {
      report_.error({}, "project name must not be empty",
                    "give one with -p, COMPOSE_PROJECT_NAME or the top-level `name:`",
                    "project-name");
      return;
    }
    found_.environment["COMPOSE_PROJECT_NAME"] = project.name;
  }

  void complete(const std::string& name, Node& root) {
    set_defaults(root);
    check_tree(root, report_);
    if (options_.resolve_paths) {
      resolve_paths(root, found_.directory, home_of(found_.environment));
      follow_watched(root);
    }
    // Where variables stay as they are, so do keys that wait for a value; but the name is known.
    const StringMap only_name{{"COMPOSE_PROJECT_NAME", name}};
    if (!options_.normalize) {
      if (!options_.interpolate && options_.read_env_files) {
        resolve_listed_environment(root, only_name);
      }
      return;
    }
    normalize(root, name, options_.interpolate ? found_.environment : only_name);
  }

  // What is watched are the files, not the links to them.
  void follow_watched(Node& root) const {
    Node* services = root.find("services");
    if (services == nullptr || !options_.real_path) return;
    for (Entry& service : services->entries) {
      Node* develop = service.value.find("develop");
      Node* watch = develop == nullptr ? nullptr : develop->find("watch");
      if (watch == nullptr) continue;
      for (Node& trigger : watch->items) {
        Node* path = trigger.find("path");
        if (path != nullptr) path->text = options_.real_path(path->text);
      }
    }
  }

  void build(Project& project, Node& root) {
    const std::string name = project.name;
    complete(name, root);
    {
      const Report::Pass pass(report_, "bad-value");
      unfold(root, report_);
      project = bind_project(root, report_);
    }
    project.name = name;
    project.working_dir = found_.directory;
    project.config_files = found_.files;
    project.environment_files = found_.environment_files;
    project.environment = std::move(found_.environment);
    apply_profiles(project, found_.profiles, options_.services);
    if (options_.consistency) {
      check_project(project, root, report_);
      for (auto& [key, service] : project.services) {
        if (service.deploy && service.scale) service.deploy->replicas = service.scale;
      }
    }
    resolve_environment(project, root, options_, sources_, report_);
    std::set<std::string> active;
    for (const auto& [key, service] : project.services) active.insert(key);
    warn_unsupported(root, active, report_);
    lint(project, root, options_, report_);
    const StringMap& included = models_.values_of_files();
    project.environment.insert(included.begin(), included.end());
    if (!options_.all_resources) drop_unused(project);
  }

  const LoadOptions& options_;
  Discovered found_;
  Sources sources_;
  Report report_;
  ModelLoader models_;
  Node root_;  // all files, merged
};

}  // namespace

namespace {

// What kept us from knowing which files to read, with its line when that is in an environment file.
LoadErrors discovery_errors(const Error& e, const LoadOptions& options) {
  Sources sources;
  Report report(sources);
  Place place;
  if (e.where && e.where->line > 0) {
    const Result<std::string> text = options.read_file(e.where->file);
    place = {sources.add(e.where->file, text.ok() ? *text : ""), e.where->line, e.where->column};
  }
  report.error(place, e.message, e.remedy, place.line > 0 ? "env-file" : "discovery");
  return report.take();
}

}  // namespace

std::variant<LoadResult, LoadErrors> load(const LoadOptions& options) {
  Result<Discovered> found = discover(options);
  if (!found.ok()) return discovery_errors(found.error(), options);
  return Loading(options, std::move(found).value()).run();
}

namespace {

std::variant<Node, LoadErrors> merged_document(const LoadOptions& options) {
  Result<Discovered> found = discover(options);
  if (!found.ok()) return discovery_errors(found.error(), options);
  return Loading(options, std::move(found).value()).document();
}

void collect(const Node& n, std::map<std::string, Variable>& out) {
  if (n.is_string()) {
    for (Variable& v : variables_in(n.text)) {
      // Of several uses the last that says something; Docker Compose takes any.
      const bool bare = v.default_value.empty() && v.presence_value.empty() && !v.required;
      if (!bare || !out.contains(v.name)) out.insert_or_assign(v.name, std::move(v));
    }
  }
  for (const Node& i : n.items) collect(i, out);
  for (const Entry& e : n.entries) collect(e.value, out);
}

}  // namespace

std::variant<std::string, LoadErrors> load_document(const LoadOptions& options, Format format) {
  auto root = merged_document(options);
  if (auto* errors = std::get_if<LoadErrors>(&root)) return std::move(*errors);
  Node& document = std::get<Node>(root);
  sort_keys(document);
  if (format == Format::kJson) null_empty_lists_of_model(document, options.normalize);
  return format == Format::kJson ? print_json(document, 2) : print_yaml(document);
}

std::variant<std::vector<Variable>, LoadErrors> variables(const LoadOptions& options) {
  LoadOptions uninterpolated = options;
  uninterpolated.interpolate = false;
  auto root = merged_document(uninterpolated);
  if (auto* errors = std::get_if<LoadErrors>(&root)) return std::move(*errors);
  std::map<std::string, Variable> found;
  collect(std::get<Node>(root), found);
  std::vector<Variable> out;
  for (auto& [name, variable] : found) out.push_back(std::move(variable));
  return out;
}

void select_services(Project& project, const std::vector<std::string>& names) {
  std::set<std::string> kept;
  std::vector<std::string> waiting = names;
  while (!waiting.empty()) {
    const auto service = project.services.find(waiting.back());
    waiting.pop_back();
    if (service == project.services.end() || !kept.insert(service->first).second) continue;
    for (const auto& [on, dependency] : service->second.depends_on) waiting.push_back(on);
  }
  for (auto it = project.services.begin(); it != project.services.end();) {
    const auto here = it++;
    if (kept.contains(here->first)) {
      std::erase_if(here->second.depends_on,
                    [&](const auto& dependency) { return !kept.contains(dependency.first); });
    } else {
      project.disabled_services.insert(project.services.extract(here));
    }
  }
  drop_unused(project);
}

std::variant<std::vector<Explanation>, LoadErrors> explain(const LoadOptions& options,
                                                           const std::string& subject) {
  Result<Discovered> found = discover(options);
  if (!found.ok()) return discovery_errors(found.error(), options);
  return Loading(options, std::move(found).value()).explain(subject);
}

Result<std::string> resolve_project_name(const LoadOptions& options) {
  Discovered found = TRY(discover_without_files(options));
  if (!found.explicit_name.empty()) return found.explicit_name;
  std::string name = found.default_name;
  if (!found.files.empty()) name = Loading(options, std::move(found)).file_name();
  if (name.empty()) return Error::invalid("project name must not be empty");
  return name;
}

}  // namespace stack::compose
