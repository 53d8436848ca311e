// Lists whose items have keys: of two with the same key the last stays, at the place of the first.
#include <fmt/core.h>

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compose/canonical.h"
#include "compose/forms.h"
#include "compose/merge.h"
#include "compose/path.h"
#include "compose/trace.h"

namespace stack::compose {
namespace {

// The key of an item, or nothing after an error.
using KeyOf = std::optional<std::string> (*)(const Node&, const Path&, Report&);

std::string text_of(const Node& n, std::string_view key, const std::string& otherwise) {
  const Node* child = n.find(key);
  return child == nullptr ? otherwise : child->text;
}

std::optional<std::string> before_equals(const Node& n, const Path& path, Report& report) {
  if (n.is_string()) return n.text.substr(0, n.text.find('='));
  report.error(n.place, fmt::format("{} must be a string", path.text()),
               n.is_map() ? "write KEY=value, or leave the dashes out" : "put it in quotes");
  return std::nullopt;
}

std::optional<std::string> expose(const Node& n, const Path& path, Report& report) {
  if (n.is_string() || n.kind == Node::Kind::kInt) return n.text;
  report.error(n.place, fmt::format("{}: unsupported expose value", path.text()),
               "a port is a whole number or a text");
  return std::nullopt;
}

std::optional<std::string> port(const Node& n, const Path& path, Report& report) {
  if (!n.is_map()) return n.text;
  if (n.find("target") == nullptr) {
    report.error(n.place, fmt::format("service ports {} is missing a target port", path.text()),
                 "say `target:`, the port inside the container");
    return std::nullopt;
  }
  return fmt::format("{}:{}:{}/{}", text_of(n, "host_ip", "0.0.0.0"), text_of(n, "published", ""),
                     text_of(n, "target", ""), text_of(n, "protocol", "tcp"));
}

std::optional<std::string> target(const Node& n, const char* what, const Path& path,
                                  Report& report) {
  const Node* target = n.find("target");
  if (target != nullptr && target->is_string()) return target->text;
  report.error(n.place, fmt::format("service {} {} is missing a mount target", what, path.text()),
               "say `target:`, the path inside the container");
  return std::nullopt;
}

std::optional<std::string> mount(const Node& n, const Path& path, Report& report) {
  if (n.is_map()) return target(n, "volume", path, report);
  if (!n.is_string()) return "";
  return mount_target(n, path, report);
}

std::optional<std::string> device(const Node& n, const Path& path, Report& report) {
  if (n.is_map()) return target(n, "device", path, report);
  const std::size_t colon = n.text.find(':');
  if (colon == std::string::npos) return n.text;
  return n.text.substr(colon + 1, n.text.find(':', colon + 1) - colon - 1);
}

std::string file_key(const Node& n, const std::string& directory) {
  if (!n.is_map()) return directory + "/" + n.text;
  return text_of(n, "target", directory + "/" + text_of(n, "source", ""));
}
std::optional<std::string> config(const Node& n, const Path&, Report&) { return file_key(n, ""); }
std::optional<std::string> secret(const Node& n, const Path&, Report&) {
  return file_key(n, "/run/secrets");
}

std::optional<std::string> env_file(const Node& n, const Path& path, Report& report) {
  if (!n.is_map()) return n.text;
  if (const Node* file = n.find("path")) return file->text;
  report.error(n.place, fmt::format("environment path attribute {} is missing", path.text()));
  return std::nullopt;
}

using Table = std::unordered_map<std::string_view, KeyOf>;

const Table& service_lists() {
  static const Table table{{"annotations", before_equals},
                           {"cap_add", before_equals},
                           {"cap_drop", before_equals},
                           {"configs", config},
                           {"devices", device},
                           {"dns", before_equals},
                           {"dns_opt", before_equals},
                           {"dns_search", before_equals},
                           {"env_file", env_file},
                           {"environment", before_equals},
                           {"expose", expose},
                           {"labels", before_equals},
                           {"links", before_equals},
                           {"ports", port},
                           {"profiles", before_equals},
                           {"secrets", secret},
                           {"sysctls", before_equals},
                           {"tmpfs", before_equals},
                           {"volumes", mount}};
  return table;
}

// Lists in the maps of a service.
const Table& lists_in(std::string_view key) {
  static const Table none;
  static const Table build{{"args", before_equals},
                           {"additional_contexts", before_equals},
                           {"tags", before_equals},
                           {"labels", before_equals}};
  static const Table deploy{{"labels", before_equals}};
  return key == "build" ? build : key == "deploy" ? deploy : none;
}

const Table& network_lists() {
  static const Table table{{"labels", before_equals}};
  return table;
}
const Table& service_network_lists() {
  static const Table table{{"aliases", before_equals}, {"link_local_ips", before_equals}};
  return table;
}

// Calls f for each map that has such lists, with their table.
template <typename F>
void each_map_of_lists(Node& root, Path& path, const F& f) {
  each_object(root, path, "services", [&](Node& service) {
    f(service, service_lists());
    for (Entry& e : service.entries) {
      if (!e.value.is_map()) continue;
      const auto step = path.enter(e.key);
      f(e.value, lists_in(e.key));
      if (e.key != "networks") continue;
      for (Entry& network : e.value.entries) {
        const auto inner = path.enter(network.key);
        f(network.value, service_network_lists());
      }
    }
  });
  each_object(root, path, "networks", [&](Node& n) { f(n, network_lists()); });
}

// The keys of a list so far, with the positions of their items. Most lists are short.
class Seen {
 public:
  explicit Seen(std::size_t size) : is_short_(size < kShort) {
    if (is_short_) short_.reserve(size);
  }

  // The position of the key, which is `position` when it is new.
  std::size_t add(std::string key, std::size_t position) {
    if (!is_short_) return long_.emplace(std::move(key), position).first->second;
    for (const auto& [there, at] : short_) {
      if (there == key) return at;
    }
    short_.emplace_back(std::move(key), position);
    return position;
  }

 private:
  static constexpr std::size_t kShort = 16;
  bool is_short_;
  std::vector<std::pair<std::string, std::size_t>> short_;
  std::unordered_map<std::string, std::size_t> long_;
};

class Deduplicator {
 public:
  explicit Deduplicator(Report& report) : report_(report) {}

  void model(Node& root) {
    each_map_of_lists(root, path_, [&](Node& map, const Table& table) { lists(map, table); });
  }

 private:
  void lists(Node& map, const Table& table) {
    if (table.empty()) return;
    for (Entry& e : map.entries) {
      if (!e.value.is_list() || e.value.items.empty()) continue;
      const auto found = table.find(e.key);
      if (found == table.end()) continue;
      const auto step = path_.enter(e.key);
      list(e.value, found->second);
    }
  }

  void list(Node& list, KeyOf key_of) {
    Seen seen(list.items.size());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      const auto step = path_.enter(i);
      Node& item = list.items[i];
      std::optional<std::string> key = key_of(item, path_, report_);
      if (!key) item.tag = Node::Tag::kBroken;
      const std::size_t at = key ? seen.add(std::move(*key), kept) : kept;
      if (at < kept) {
        if (Trace* trace = report_.trace()) {
          trace->lost(Trace::How::kOverridden, path_.text(), item.place, list.items[at]);
        }
      } else {
        ++kept;
      }
      if (at != i) list.items[at] = std::move(item);
    }
    list.items.resize(kept);
  }

  Report& report_;
  Path path_;
};

}  // namespace

void null_empty_lists_of_model(Node& model, bool normalized) {
  std::vector<Node*> kept;
  Path path;
  each_map_of_lists(model, path, [&](Node& map, const Table& table) {
    for (Entry& e : map.entries) {
      const bool changed = normalized && e.key == "environment";
      if (e.value.is_list() && e.value.items.empty() && table.contains(e.key) && !changed) {
        kept.push_back(&e.value);
      }
    }
  });
  null_empty_lists(model);
  for (Node* list : kept) *list = Node::list(list->place);
}

void deduplicate(Node& model, Report& report) {
  const Report::Pass pass(report, "bad-value");
  Deduplicator(report).model(model);
}

}  // namespace stack::compose
