#include "compose/explainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "compose/writer.h"

namespace stack::compose {
namespace {

class Explainer {
 public:
  explicit Explainer(const Traced& traced)
      : traced_(traced), origins_(traced), final_(write(traced.project, Style::kYaml)) {
    for (const Trace::Text& t : traced.trace.texts()) {
      std::set<std::string> names;
      for (const Variable& v : variables_in(t.raw)) names.insert(v.name);
      for (const std::string& name : names) uses_[name].push_back(&t);
    }
  }

  Result<std::vector<Explanation>> run(const std::string& subject) {
    const bool name = subject.find_first_of(".[") == std::string::npos;
    if (name && is_variable(subject)) {
      variable(subject);
    } else if (const Node* node = find_path(traced_.root, subject)) {
      walk(tidy(subject), *node);
    } else if (const Node* filled = find_path(final_, subject)) {
      leaves(tidy(subject), *filled);
    } else {
      removed(tidy(subject));
    }
    if (!out_.empty()) return std::move(out_);
    return Error::not_found(fmt::format("no value and no variable is called {}", subject))
        .fix("A path begins at the top level: services.web.ports[0].");
  }

 private:
  // ---- paths

  void walk(const std::string& path, const Node& node) {
    for (const Entry& e : node.entries) walk(path + "." + e.key, e.value);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      walk(fmt::format("{}[{}]", path, i), node.items[i]);
    }
    if (node.is_scalar() || (node.items.empty() && node.entries.empty())) value(path, node);
    if (is_environment(path)) from_env_files(path);
  }

  void value(const std::string& path, const Node& node) {
    Explanation x;
    x.subject = path;
    const Node* shown = find_path(final_, path);
    x.value = shown != nullptr ? Trace::text_of(*shown) : Trace::text_of(node);
    x.origins.push_back(origins_.file(node.place, Trace::text_of(node)));
    x.variables = origins_.variables_at(node.place);
    origins_.add_replaced(path, node.place, x.origins);
    if (node.is_null() && shown != nullptr && !shown->is_null() && is_environment(parent(path))) {
      const std::string key = path.substr(parent(path).size() + 1);
      const UsedVariable outer = origins_.look_up(key);
      x.origins.insert(x.origins.begin(), outer.origin);
    }
    out_.push_back(std::move(x));
  }

  // What the loader filled in.
  void leaves(const std::string& path, const Node& node) {
    for (const Entry& e : node.entries) leaves(path + "." + e.key, e.value);
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      leaves(fmt::format("{}[{}]", path, i), node.items[i]);
    }
    if (!node.is_scalar() && !(node.items.empty() && node.entries.empty())) return;
    const std::string above = parent(path);
    if (is_environment(above) && env_file_value(above, path.substr(above.size() + 1))) return;
    Explanation x;
    x.subject = path;
    x.value = Trace::text_of(node);
    x.origins.push_back({ValueOrigin::Kind::kDefault, {}, x.value, {}, {}});
    out_.push_back(std::move(x));
  }

  void removed(const std::string& path) {
    for (const Trace::Loss& loss : traced_.trace.losses()) {
      if (loss.how != Trace::How::kReset || tidy(loss.path) != path) continue;
      Explanation x;
      x.subject = path;
      x.set = false;
      ValueOrigin reset = origins_.file(loss.by, {});
      reset.kind = ValueOrigin::Kind::kReset;
      reset.written.clear();
      x.origins.push_back(std::move(reset));
      x.origins.push_back(origins_.file(loss.place, loss.value));
      origins_.add_replaced(path, loss.place, x.origins);
      out_.push_back(std::move(x));
      return;
    }
  }

  // ---- environment of containers

  static std::string parent(const std::string& path) {
    constexpr std::string_view kEnvironment = ".environment.";
    const std::size_t at = path.find(kEnvironment);
    return at == std::string::npos ? path : path.substr(0, at + kEnvironment.size() - 1);
  }

  bool is_environment(const std::string& path) const {
    constexpr std::string_view kServices = "services.";
    constexpr std::string_view kEnd = ".environment";
    return path.starts_with(kServices) && path.ends_with(kEnd) &&
           traced_.project.services.contains(
               path.substr(kServices.size(), path.size() - kServices.size() - kEnd.size()));
  }

  // The values of env_file that `environment` does not have.
  void from_env_files(const std::string& path) {
    const Node* shown = find_path(final_, path);
    const Node* written = find_path(traced_.root, path);
    if (shown == nullptr) return;
    for (const Entry& e : shown->entries) {
      if (written == nullptr || written->find(e.key) == nullptr) env_file_value(path, e.key);
    }
  }

  // False when no env_file has it.
  bool env_file_value(const std::string& environment_path, const std::string& key) {
    const std::vector<ValueOrigin> origins = origins_.env_files(environment_path, key);
    if (origins.empty()) return false;
    Explanation x;
    x.subject = environment_path + "." + key;
    x.value = origins.front().value;
    x.origins = origins;
    out_.push_back(std::move(x));
    return true;
  }

  // ---- variables

  bool is_variable(const std::string& name) const {
    if (traced_.project.environment.contains(name) || uses_.contains(name)) return true;
    const auto& services = traced_.project.services;
    return std::any_of(services.begin(), services.end(),
                       [&](const auto& s) { return s.second.environment.contains(name); });
  }

  void variable(const std::string& name) {
    Explanation x;
    x.subject = name;
    x.origins = origins_.variable(name);
    x.set = !x.origins.empty();
    if (x.set) x.value = x.origins.front().value;
    const auto uses = uses_.find(name);
    if (uses != uses_.end()) {
      for (const Trace::Text* t : uses->second) {
        x.uses.emplace_back(tidy(t->path), origins_.file(t->place, t->raw));
      }
    }
    out_.push_back(std::move(x));
    for (const auto& [service, s] : traced_.project.services) {
      if (!s.environment.contains(name)) continue;
      const std::string path = fmt::format("services.{}.environment", service);
      const Node* environment = find_path(traced_.root, path);
      const Node* own = environment == nullptr ? nullptr : environment->find(name);
      if (own == nullptr) {
        env_file_value(path, name);
        continue;
      }
      value(path + "." + name, *own);
      // What the file says is stronger than env_file.
      const std::vector<ValueOrigin> weaker = origins_.env_files(path, name);
      std::vector<ValueOrigin>& origins = out_.back().origins;
      origins.insert(origins.end(), weaker.begin(), weaker.end());
    }
  }

  const Traced& traced_;
  const Origins origins_;
  const Node final_;
  std::map<std::string, std::vector<const Trace::Text*>> uses_;  // by variable
  std::vector<Explanation> out_;
};

}  // namespace

Result<std::vector<Explanation>> explain_subject(const Traced& traced, const std::string& subject) {
  return Explainer(traced).run(subject);
}

}  // namespace stack::compose
