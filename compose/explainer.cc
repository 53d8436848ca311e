#include "compose/explainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "compose/dotenv.h"
#include "compose/writer.h"

namespace stack::compose {
namespace {

bool same(Place a, Place b) { return a.file == b.file && a.line == b.line && a.column == b.column; }

// The node at a path of keys and positions. A key may hold dots, so the longest that fits is taken.
const Node* find_path(const Node& root, std::string_view path) {
  const Node* node = &root;
  while (!path.empty()) {
    if (path[0] == '.') path.remove_prefix(1);
    if (path.empty()) return nullptr;
    const bool bracket = path[0] == '[';
    if (node->is_list()) {
      if (bracket) path.remove_prefix(1);
      std::size_t position = 0;
      const auto r = std::from_chars(path.data(), path.data() + path.size(), position);
      if (r.ec != std::errc() || position >= node->items.size()) return nullptr;
      path.remove_prefix(static_cast<std::size_t>(r.ptr - path.data()));
      if (bracket) {
        if (path.empty() || path[0] != ']') return nullptr;
        path.remove_prefix(1);
      }
      node = &node->items[position];
      continue;
    }
    const Entry* best = nullptr;
    for (const Entry& e : node->entries) {
      const bool fits =
          path.substr(0, e.key.size()) == e.key &&
          (path.size() == e.key.size() || path[e.key.size()] == '.' || path[e.key.size()] == '[');
      if (fits && (best == nullptr || e.key.size() > best->key.size())) best = &e;
    }
    if (best == nullptr) return nullptr;
    path.remove_prefix(best->key.size());
    node = &best->value;
  }
  return node;
}

// "a.b.[0]" and "a.b[0]" are the same to people.
std::string tidy(std::string path) {
  for (std::size_t at = path.find(".["); at != std::string::npos; at = path.find(".[")) {
    path.erase(at, 1);
  }
  return path;
}

class Explainer {
 public:
  explicit Explainer(const Traced& traced)
      : traced_(traced), final_(write(traced.project, Style::kYaml)) {
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
    x.origins.push_back(file_origin(node.place, Trace::text_of(node)));
    add_variables(x, node.place);
    replaced(path, node.place, x.origins);
    if (node.is_null() && shown != nullptr && !shown->is_null() && is_environment(parent(path))) {
      const std::string key = path.substr(parent(path).size() + 1);
      const UsedVariable outer = look_up(key);
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
      ValueOrigin reset = file_origin(loss.by, {});
      reset.kind = ValueOrigin::Kind::kReset;
      reset.written.clear();
      x.origins.push_back(std::move(reset));
      x.origins.push_back(file_origin(loss.place, loss.value));
      replaced(path, loss.place, x.origins);
      out_.push_back(std::move(x));
      return;
    }
  }

  // Appends what the value at `place` replaced, and what that had replaced. A value may have moved
  // to another path on the way (extends, anchors), so that its place decides when the path does
  // not.
  void replaced(const std::string& path, Place place, std::vector<ValueOrigin>& origins) {
    std::set<const Trace::Loss*> seen;
    if (!any_loss(place)) {
      // Perhaps something around it was replaced as a whole.
      for (std::size_t end = path.find_last_of(".["); end != std::string::npos && end > 0;
           end = path.find_last_of(".[", end - 1)) {
        const Node* around = find_path(traced_.root, path.substr(0, end));
        if (around == nullptr || !any_loss(around->place)) continue;
        return replaced(path.substr(0, end), around->place, origins);
      }
      return;
    }
    for (;;) {
      const Trace::Loss* next = nullptr;
      for (const Trace::Loss& loss : traced_.trace.losses()) {
        if (!same(loss.by, place) || seen.contains(&loss)) continue;
        const bool exact = tidy(loss.path) == path;
        if (next == nullptr || exact) next = &loss;
        if (exact) break;
      }
      if (next == nullptr) return;
      seen.insert(next);
      if (same(next->place, place)) continue;
      origins.push_back(file_origin(next->place, next->value));
      place = next->place;
    }
  }

  bool any_loss(Place place) const {
    const auto& losses = traced_.trace.losses();
    return std::any_of(losses.begin(), losses.end(),
                       [&](const Trace::Loss& loss) { return same(loss.by, place); });
  }

  ValueOrigin file_origin(Place place, std::string value) const {
    ValueOrigin o;
    o.where = traced_.sources.loc(place);
    o.value = std::move(value);
    if (const std::string* raw = traced_.trace.raw(place)) o.written = *raw;
    if (const Sources::File* file = traced_.sources.file(place.file)) o.chain = file->chain;
    if (place.line == 0) o.kind = ValueOrigin::Kind::kDefault;
    return o;
  }

  void add_variables(Explanation& x, Place place) const {
    const std::string* raw = traced_.trace.raw(place);
    if (raw == nullptr) return;
    std::set<std::string> seen;
    for (const Variable& v : variables_in(*raw)) {
      if (seen.insert(v.name).second) x.variables.push_back(look_up(v.name));
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

  const Node* service_of(const std::string& environment_path) const {
    return find_path(traced_.root,
                     environment_path.substr(0, environment_path.rfind(".environment")));
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
    const std::vector<ValueOrigin> origins = env_file_origins(environment_path, key);
    if (origins.empty()) return false;
    Explanation x;
    x.subject = environment_path + "." + key;
    x.value = origins.front().value;
    x.origins = origins;
    out_.push_back(std::move(x));
    return true;
  }

  // Of the service's env_files, the last first.
  std::vector<ValueOrigin> env_file_origins(const std::string& environment_path,
                                            const std::string& key) const {
    std::vector<ValueOrigin> out;
    const Node* service = service_of(environment_path);
    const Node* files = service == nullptr ? nullptr : service->find("env_file");
    if (files == nullptr) return out;
    for (const Node& file : files->items) {
      const Node* path = file.find("path");
      if (path == nullptr || traced_.options.file_kind(path->text) != FileKind::kFile) continue;
      const Result<std::string> text = traced_.options.read_file(path->text);
      const Node* format = file.find("format");
      if (!text.ok()) continue;
      const Lookup outer = [&](const std::string& name) -> const std::string* {
        const auto it = traced_.project.environment.find(name);
        return it == traced_.project.environment.end() ? nullptr : &it->second;
      };
      const bool raw = format != nullptr && format->text == "raw";
      const Result<EnvFile> parsed =
          raw ? parse_raw_env_file(*text, outer) : parse_env_file(*text, outer);
      for (std::size_t i = 0; parsed.ok() && i < parsed->values.size(); ++i) {
        if (parsed->values[i].first != key) continue;
        ValueOrigin o{ValueOrigin::Kind::kEnvFile, {path->text, parsed->lines[i], 0}, {}, {}, {}};
        o.value = parsed->values[i].second;
        o.chain.push_back("read for " + traced_.sources.text_of(path->place));
        out.insert(out.begin(), std::move(o));
      }
    }
    return out;
  }

  // ---- variables

  bool is_variable(const std::string& name) const {
    if (traced_.project.environment.contains(name) || uses_.contains(name)) return true;
    const auto& services = traced_.project.services;
    return std::any_of(services.begin(), services.end(),
                       [&](const auto& s) { return s.second.environment.contains(name); });
  }

  // All that give the variable a value, the strongest first.
  std::vector<ValueOrigin> variable_origins(const std::string& name) const {
    std::vector<ValueOrigin> out;
    const auto process = traced_.options.environment.find(name);
    if (process != traced_.options.environment.end()) {
      out.push_back({ValueOrigin::Kind::kEnvironment, {}, process->second, {}, {}});
    }
    for (auto it = traced_.values.rbegin(); it != traced_.values.rend(); ++it) {
      if (it->name != name) continue;
      out.push_back({ValueOrigin::Kind::kEnvFile, {it->file, it->line, 0}, it->value, {}, {}});
    }
    for (const EnvFileValue& v : traced_.trace.included_values()) {
      if (v.name != name) continue;
      out.push_back(
          {ValueOrigin::Kind::kEnvFile, {v.file, v.line, 0}, v.value, {}, {"read by include"}});
    }
    const auto known = traced_.project.environment.find(name);
    if (out.empty() && known != traced_.project.environment.end()) {
      out.push_back({ValueOrigin::Kind::kDefault, {}, known->second, {}, {}});
    }
    return out;
  }

  UsedVariable look_up(const std::string& name) const {
    UsedVariable v{name, false, {}, {}};
    std::vector<ValueOrigin> origins = variable_origins(name);
    if (origins.empty()) return v;
    v.set = true;
    v.value = origins.front().value;
    v.origin = std::move(origins.front());
    return v;
  }

  void variable(const std::string& name) {
    Explanation x;
    x.subject = name;
    x.origins = variable_origins(name);
    x.set = !x.origins.empty();
    if (x.set) x.value = x.origins.front().value;
    const auto uses = uses_.find(name);
    if (uses != uses_.end()) {
      for (const Trace::Text* t : uses->second) {
        x.uses.emplace_back(tidy(t->path), file_origin(t->place, t->raw));
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
      const std::vector<ValueOrigin> weaker = env_file_origins(path, name);
      std::vector<ValueOrigin>& origins = out_.back().origins;
      origins.insert(origins.end(), weaker.begin(), weaker.end());
    }
  }

  const Traced& traced_;
  const Node final_;
  std::map<std::string, std::vector<const Trace::Text*>> uses_;  // by variable
  std::vector<Explanation> out_;
};

}  // namespace

Result<std::vector<Explanation>> explain_subject(const Traced& traced, const std::string& subject) {
  return Explainer(traced).run(subject);
}

}  // namespace stack::compose
