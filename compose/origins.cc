#include "compose/origins.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "compose/dotenv.h"

namespace stack::compose {

namespace {

// These take their part off the path; null when the node has no such member.
const Node* take_item(const Node& list, std::string_view& path) {
  const bool bracket = path[0] == '[';
  if (bracket) path.remove_prefix(1);
  std::size_t position = 0;
  const auto r = std::from_chars(path.data(), path.data() + path.size(), position);
  if (r.ec != std::errc() || position >= list.items.size()) return nullptr;
  path.remove_prefix(static_cast<std::size_t>(r.ptr - path.data()));
  if (bracket) {
    if (path.empty() || path[0] != ']') return nullptr;
    path.remove_prefix(1);
  }
  return &list.items[position];
}

const Node* take_key(const Node& map, std::string_view& path) {
  const Entry* best = nullptr;
  for (const Entry& e : map.entries) {
    const bool fits =
        path.substr(0, e.key.size()) == e.key &&
        (path.size() == e.key.size() || path[e.key.size()] == '.' || path[e.key.size()] == '[');
    if (fits && (best == nullptr || e.key.size() > best->key.size())) best = &e;
  }
  if (best == nullptr) return nullptr;
  path.remove_prefix(best->key.size());
  return &best->value;
}

}  // namespace

const Node* find_path(const Node& root, std::string_view path) {
  const Node* node = &root;
  while (node != nullptr && !path.empty()) {
    if (path[0] == '.') path.remove_prefix(1);
    if (path.empty()) return nullptr;
    node = node->is_list() ? take_item(*node, path) : take_key(*node, path);
  }
  return node;
}

std::string tidy(std::string path) {
  for (std::size_t at = path.find(".["); at != std::string::npos; at = path.find(".[")) {
    path.erase(at, 1);
  }
  return path;
}

namespace {

bool same(Place a, Place b) { return a.file == b.file && a.line == b.line && a.column == b.column; }

}  // namespace

ValueOrigin Origins::file(Place place, std::string value) const {
  ValueOrigin o;
  o.where = traced_.sources.loc(place);
  o.value = std::move(value);
  if (const std::string* raw = traced_.trace.raw(place)) o.written = *raw;
  if (const Sources::File* file = traced_.sources.file(place.file)) o.chain = file->chain;
  if (place.line == 0) o.kind = ValueOrigin::Kind::kDefault;
  return o;
}

void Origins::add_replaced(const std::string& path, Place place,
                           std::vector<ValueOrigin>& origins) const {
  std::set<const Trace::Loss*> seen;
  if (!any_loss(place)) {
    // Perhaps something around it was replaced as a whole.
    for (std::size_t end = path.find_last_of(".["); end != std::string::npos && end > 0;
         end = path.find_last_of(".[", end - 1)) {
      const Node* around = find_path(traced_.root, path.substr(0, end));
      if (around == nullptr || !any_loss(around->place)) continue;
      return add_replaced(path.substr(0, end), around->place, origins);
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
    origins.push_back(file(next->place, next->value));
    place = next->place;
  }
}

bool Origins::any_loss(Place place) const {
  const auto& losses = traced_.trace.losses();
  return std::any_of(losses.begin(), losses.end(),
                     [&](const Trace::Loss& loss) { return same(loss.by, place); });
}

std::vector<UsedVariable> Origins::variables_at(Place place) const {
  std::vector<UsedVariable> out;
  const std::string* raw = traced_.trace.raw(place);
  if (raw == nullptr) return out;
  std::set<std::string> seen;
  for (const Variable& v : variables_in(*raw)) {
    if (seen.insert(v.name).second) out.push_back(look_up(v.name));
  }
  return out;
}

std::vector<ValueOrigin> Origins::env_files(const std::string& environment_path,
                                            const std::string& key) const {
  std::vector<ValueOrigin> out;
  const Node* service =
      find_path(traced_.root, environment_path.substr(0, environment_path.rfind(".environment")));
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

std::vector<ValueOrigin> Origins::variable(const std::string& name) const {
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

UsedVariable Origins::look_up(const std::string& name) const {
  UsedVariable v{name, false, {}, {}};
  std::vector<ValueOrigin> origins = variable(name);
  if (origins.empty()) return v;
  v.set = true;
  v.value = origins.front().value;
  v.origin = std::move(origins.front());
  return v;
}

}  // namespace stack::compose
