#include "compose/merge.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "compose/path.h"

namespace stack::compose {
namespace {

// What a place in the tree asks for. Places are recognised by the last two keys of their path,
// which is enough within a Compose file.
enum class Rule { kUnion, kReplace, kLogging };
using ItemKey = std::function<std::string(const Node&)>;

std::string text_of(const Node& n, std::string_view key) {
  const Node* child = n.find(key);
  return child == nullptr || !child->is_scalar() ? "" : child->text;
}

std::string before_equals(const Node& n) { return n.text.substr(0, n.text.find('=')); }
std::string whole(const Node& n) { return n.text; }
std::string target_of(const Node& n) { return text_of(n, "target"); }
std::string path_of(const Node& n) { return text_of(n, "path"); }
std::string subnet_of(const Node& n) { return text_of(n, "subnet"); }

std::string port_key(const Node& n) {
  std::string ip = text_of(n, "host_ip");
  if (ip.empty()) ip = "0.0.0.0";
  std::string protocol = text_of(n, "protocol");
  if (protocol.empty()) protocol = "tcp";
  // Ports without a host port are all different when their targets are.
  return fmt::format("{}:{}:{}/{}", ip, text_of(n, "published"), text_of(n, "target"), protocol);
}

// A mount's target is compared cleaned: "/b/" is "/b".
std::string mount_key(const Node& n) {
  std::string target = target_of(n);
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  return target;
}

std::string secret_key(const Node& n) {
  const std::string target = text_of(n, "target");
  return target.empty() ? "/run/secrets/" + text_of(n, "source") : target;
}
std::string config_key(const Node& n) {
  const std::string target = text_of(n, "target");
  return target.empty() ? "/" + text_of(n, "source") : target;
}

using KeyTable = std::unordered_map<std::string_view, std::string (*)(const Node&)>;

const KeyTable& item_keys() {
  static const KeyTable table{
      {"ports", port_key},        {"volumes", mount_key},      {"devices", target_of},
      {"secrets", secret_key},    {"configs", config_key},     {"env_file", path_of},
      {"expose", whole},          {"dns", before_equals},      {"dns_search", before_equals},
      {"dns_opt", before_equals}, {"cap_add", before_equals},  {"cap_drop", before_equals},
      {"tmpfs", before_equals},   {"profiles", before_equals}, {"links", before_equals},
      {"aliases", before_equals}, {"tags", before_equals},     {"link_local_ips", before_equals},
      {"group_add", whole},       {"security_opt", whole},     {"external_links", whole},
      {"volumes_from", whole},    {"label_file", whole},       {"device_cgroup_rules", whole}};
  return table;
}

class Merger {
 public:
  explicit Merger(Report& report) : report_(report) {}

  void file(Node& base, Node over) { map(base, std::move(over)); }
  void service(Node& base, Node over, std::string_view name) {
    const auto services = path_.enter("services");
    const auto step = path_.enter(name);
    map(base, std::move(over));
  }

 private:
  void map(Node& base, Node over) {
    for (Entry& e : over.entries) {
      if (e.value.tag == Node::Tag::kReset) {
        base.erase(e.key);
        continue;
      }
      Node* old = base.find(e.key);
      if (old == nullptr) {
        base.entries.push_back(std::move(e));
        continue;
      }
      const auto step = path_.enter(e.key);
      keys_.push_back(e.key);
      value(*old, std::move(e.value));
      keys_.pop_back();
    }
  }

  void value(Node& base, Node over) {
    if (over.tag == Node::Tag::kOverride) {
      base = std::move(over);
      return;
    }
    if (over.is_null()) {
      // In a map of values and for commands nothing is a value; elsewhere it changes nothing.
      const bool command = keys_.back() == "command" || keys_.back() == "entrypoint";
      if (command || parent_is({"environment", "args"})) base = std::move(over);
      return;
    }
    if (base.is_null() || replaces()) {
      base = std::move(over);
      return;
    }
    if (base.is_map() && over.is_map()) {
      if (keys_.back() == "logging" && other_driver(base, over)) {
        base = std::move(over);
      } else {
        map(base, std::move(over));
      }
    } else if (base.is_list() && over.is_list()) {
      list(base, std::move(over));
    } else if (base.is_scalar() && over.is_scalar()) {
      base = std::move(over);
    } else if (parent_is({"ulimits"})) {
      base = std::move(over);
    } else {
      report_.error(over.place, fmt::format("cannot override {}", path_.text()));
    }
  }

  void list(Node& base, Node over) {
    const bool pools = keys_.back() == "config" && parent_is({"ipam"});
    for (Node& item : over.items) {
      if (item.tag == Node::Tag::kReset) continue;
      if (parent_is({"extra_hosts"}) &&
          std::any_of(base.items.begin(), base.items.end(),
                      [&](const Node& b) { return b.text == item.text; })) {
        continue;
      }
      if (pools) {
        const auto same = std::find_if(base.items.begin(), base.items.end(), [&](const Node& b) {
          return subnet_of(b) == subnet_of(item);
        });
        if (same != base.items.end()) {
          map(*same, std::move(item));
          continue;
        }
      }
      base.items.push_back(std::move(item));
    }
  }

  bool replaces() const {
    const std::string_view key = keys_.back();
    return key == "command" || key == "entrypoint" ||
           (key == "test" && parent_is({"healthcheck"})) || parent_is({"ulimits"});
  }

  static bool other_driver(const Node& base, const Node& over) {
    const std::string a = text_of(base, "driver");
    const std::string b = text_of(over, "driver");
    return !a.empty() && !b.empty() && a != b;
  }

  bool parent_is(std::initializer_list<std::string_view> names) const {
    if (keys_.size() < 2) return false;
    const std::string_view parent = keys_[keys_.size() - 2];
    return std::find(names.begin(), names.end(), parent) != names.end();
  }

  Report& report_;
  Path path_;
  std::vector<std::string> keys_;
};

// Of items with the same key the last stands at the place of the first.
void deduplicate(Node& list, std::string (*key_of)(const Node&)) {
  if (list.items.size() < 2) return;
  std::unordered_map<std::string, std::size_t> seen;
  std::vector<Node> kept;
  for (Node& item : list.items) {
    const auto [it, inserted] = seen.emplace(key_of(item), kept.size());
    if (inserted) {
      kept.push_back(std::move(item));
    } else {
      kept[it->second] = std::move(item);
    }
  }
  list.items = std::move(kept);
}

void settle(Node& node, bool in_service) {
  if (node.is_map()) {
    std::erase_if(node.entries, [](const Entry& e) { return e.value.tag == Node::Tag::kReset; });
    for (Entry& e : node.entries) {
      const bool extension = e.key.rfind("x-", 0) == 0;
      if (!extension && in_service && e.value.is_list()) {
        const auto it = item_keys().find(e.key);
        if (it != item_keys().end()) deduplicate(e.value, it->second);
      }
      // The lists under deploy have no keys, although their names are those of lists that have.
      settle(e.value, in_service && !extension && e.key != "deploy");
    }
  } else if (node.is_list()) {
    std::erase_if(node.items, [](const Node& i) { return i.tag == Node::Tag::kReset; });
    for (Node& i : node.items) settle(i, false);
  }
  node.tag = Node::Tag::kNone;
}

}  // namespace

void merge_file(Node& base, Node over, Report& report) {
  Merger(report).file(base, std::move(over));
}

void merge_service(Node& base, Node over, std::string_view name, Report& report) {
  Merger(report).service(base, std::move(over), name);
}

void settle_file(Node& root) {
  std::erase_if(root.entries, [](const Entry& e) { return e.value.tag == Node::Tag::kReset; });
  for (Entry& e : root.entries) {
    const bool services = e.key == "services";
    if (!e.value.is_map()) continue;
    std::erase_if(e.value.entries, [](const Entry& o) { return o.value.tag == Node::Tag::kReset; });
    for (Entry& object : e.value.entries) settle(object.value, services);
    e.value.tag = Node::Tag::kNone;
  }
}

}  // namespace stack::compose
