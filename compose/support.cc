#include "compose/support.h"

#include <fmt/core.h>

#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace stack::compose {
namespace {

struct Unsupported {
  const char* path;    // "*" is any key or list position
  const char* reason;  // may be empty
};

constexpr Unsupported kUnsupported[] = {
    {"services.*.blkio_config.weight_device", ""},
    {"services.*.blkio_config.device_read_bps", ""},
    {"services.*.blkio_config.device_read_iops", ""},
    {"services.*.blkio_config.device_write_bps", ""},
    {"services.*.blkio_config.device_write_iops", ""},
    {"services.*.cpu_count", "it is for Windows"},
    {"services.*.cpu_percent", "it is for Windows"},
    {"services.*.cpu_rt_period", ""},
    {"services.*.cpu_rt_runtime", ""},
    {"services.*.credential_spec", "it is for Windows"},
    {"services.*.deploy.endpoint_mode", "it is for Swarm"},
    {"services.*.deploy.labels", "they are for Swarm services, not for containers"},
    {"services.*.deploy.mode", "it is for Swarm"},
    {"services.*.deploy.placement", "it is for Swarm"},
    {"services.*.deploy.resources.reservations.cpus", "it is for Swarm"},
    {"services.*.deploy.resources.reservations.devices", ""},
    {"services.*.deploy.resources.reservations.generic_resources", "it is for Swarm"},
    {"services.*.gpus", ""},
    {"services.*.isolation", "it is for Windows"},
    {"services.*.models", ""},
    {"services.*.networks.*.driver_opts", ""},
    {"services.*.pull_refresh_after", ""},
    {"services.*.storage_opt", ""},
    {"services.*.use_api_socket", ""},
    {"services.*.volumes.*.consistency", "it is for Docker Desktop on macOS"},
    {"services.*.build.cache_from", "steps are cached on this machine"},
    {"services.*.build.cache_to", "steps are cached on this machine"},
    {"services.*.build.isolation", "it is for Windows"},
    {"services.*.build.platforms", "images are built for this machine"},
    {"services.*.build.provenance", "images are built without attestations"},
    {"services.*.build.sbom", "images are built without attestations"},
    {"secrets.*.driver", "it is for Swarm"},
    {"secrets.*.template_driver", "it is for Swarm"},
    {"configs.*.template_driver", "it is for Swarm"},
};

// What asks for nothing needs no support.
bool is_off(const Node& node) {
  return node.is_null() || (node.is_scalar() && node.text == "false");
}

// The first part of a path, and the rest.
std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const std::size_t dot = path.find('.');
  return {path.substr(0, dot), dot == std::string_view::npos ? "" : path.substr(dot + 1)};
}

// True when there is something below `node` that the path leads to.
bool leads_somewhere(const Node& node, std::string_view path) {
  if (is_off(node)) return false;
  if (path.empty()) return true;
  const auto [part, next] = split(path);
  for (const Entry& e : node.entries) {
    if ((part == "*" || e.key == part) && leads_somewhere(e.value, next)) return true;
  }
  for (const Node& item : node.items) {
    if (part == "*" && leads_somewhere(item, next)) return true;
  }
  return false;
}

class Finder {
 public:
  explicit Finder(Report& report) : report_(report) {}

  // `rest`: what of the entry's path is still to be found below `node`.
  void find(const Node& node, std::string_view rest, const std::string& at, Place place,
            const Unsupported& entry) {
    if (is_off(node)) return;
    if (rest.empty()) {
      report_.warning(place,
                      fmt::format("{} is not supported yet and has no effect{}{}", at,
                                  *entry.reason != 0 ? ": " : "", entry.reason),
                      {}, "unsupported");
      return;
    }
    const auto [part, next] = split(rest);
    for (const Entry& e : node.entries) {
      if (part == "*" || e.key == part) find(e.value, next, at + "." + e.key, e.key_place, entry);
    }
    if (part != "*") return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      find(node.items[i], next, fmt::format("{}[{}]", at, i), node.items[i].place, entry);
    }
  }

 private:
  Report& report_;
};

// The entries by kind of object and attribute, so that an attribute which is supported costs one
// look-up.
struct Rest {
  std::string_view path;  // below the attribute
  const Unsupported* entry;
};
using Table = std::map<std::string_view, std::unordered_multimap<std::string_view, Rest>>;

Table make_table() {
  Table table;
  for (const Unsupported& entry : kUnsupported) {
    const std::string_view path = entry.path;
    const std::size_t star = path.find(".*.");
    const std::string_view attribute_on = path.substr(star + 3);
    const auto [attribute, rest] = split(attribute_on);
    table[path.substr(0, star)].emplace(attribute, Rest{rest, &entry});
  }
  return table;
}

}  // namespace

void warn_unsupported(const Node& root, const std::set<std::string>& active, Report& report) {
  static const Table table = make_table();
  Finder finder(report);
  for (const auto& [kind, attributes] : table) {
    const Node* objects = root.find(kind);
    if (objects == nullptr) continue;
    for (const Entry& object : objects->entries) {
      if (kind == "services" && active.count(object.key) == 0) continue;
      for (const Entry& e : object.value.entries) {
        const auto [begin, end] = attributes.equal_range(e.key);
        for (auto it = begin; it != end; ++it) {
          if (!leads_somewhere(e.value, it->second.path)) continue;
          finder.find(e.value, it->second.path, fmt::format("{}.{}.{}", kind, object.key, e.key),
                      e.key_place, *it->second.entry);
        }
      }
    }
  }
}

}  // namespace stack::compose
