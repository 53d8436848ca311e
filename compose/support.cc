#include "compose/support.h"

#include <fmt/core.h>

#include <string_view>
#include <vector>

namespace stack::compose {
namespace {

struct Unsupported {
  const char* path;    // "*" is any key or list position
  const char* reason;  // may be empty
};

constexpr Unsupported kUnsupported[] = {
    {"services.*.blkio_config", ""},
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
    {"services.*.deploy.rollback_config", ""},
    {"services.*.deploy.update_config", ""},
    {"services.*.deploy.restart_policy.delay", ""},
    {"services.*.deploy.restart_policy.window", ""},
    {"services.*.develop", ""},
    {"services.*.external_links", ""},
    {"services.*.gpus", ""},
    {"services.*.isolation", "it is for Windows"},
    {"services.*.models", ""},
    {"services.*.networks.*.driver_opts", ""},
    {"services.*.networks.*.link_local_ips", ""},
    {"services.*.provider", ""},
    {"services.*.pull_refresh_after", ""},
    {"services.*.runtime", ""},
    {"services.*.storage_opt", ""},
    {"services.*.use_api_socket", ""},
    {"services.*.userns_mode", ""},
    {"services.*.volumes.*.consistency", "it is for Docker Desktop on macOS"},
    {"services.*.build.cache_to", ""},
    {"services.*.build.entitlements", ""},
    {"services.*.build.isolation", "it is for Windows"},
    {"services.*.build.privileged", ""},
    {"services.*.build.provenance", ""},
    {"services.*.build.sbom", ""},
    {"services.*.build.ssh", ""},
    {"secrets.*.driver", "it is for Swarm"},
    {"secrets.*.template_driver", "it is for Swarm"},
    {"configs.*.template_driver", "it is for Swarm"},
};

class Finder {
 public:
  Finder(const std::set<std::string>& active, Report& report) : active_(active), report_(report) {}

  void find(const Node& node, std::string_view rest, const std::string& at, Place place,
            const Unsupported& entry) {
    if (node.is_null()) return;
    if (rest.empty()) {
      report_.warning(place, fmt::format("{} is not supported yet and has no effect{}{}", at,
                                         *entry.reason != 0 ? ": " : "", entry.reason));
      return;
    }
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const std::string_view next = dot == std::string_view::npos ? "" : rest.substr(dot + 1);
    for (const Entry& e : node.entries) {
      if (part != "*" && e.key != part) continue;
      if (at == "services" && active_.count(e.key) == 0) continue;
      find(e.value, next, at.empty() ? e.key : at + "." + e.key, e.key_place, entry);
    }
    if (part != "*") return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      find(node.items[i], next, fmt::format("{}[{}]", at, i), node.items[i].place, entry);
    }
  }

 private:
  const std::set<std::string>& active_;
  Report& report_;
};

}  // namespace

void warn_unsupported(const Node& root, const std::set<std::string>& active, Report& report) {
  Finder finder(active, report);
  for (const Unsupported& entry : kUnsupported) finder.find(root, entry.path, "", {}, entry);
}

}  // namespace stack::compose
