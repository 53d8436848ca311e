#include "compose/lint.h"

#include <fmt/core.h>

#include <charconv>
#include <set>
#include <unordered_map>

#include "compose/check.h"

namespace stack::compose {
namespace {

std::string text_of(const Node& n, std::string_view key) {
  const Node* child = n.find(key);
  return child == nullptr || !child->is_scalar() ? "" : child->text;
}

// One host port that one entry of one service asks for.
struct Published {
  const std::string* service;
  std::string ip;
  std::string target;
  Place place;
};

bool is_any(const std::string& ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; }
bool meet(const std::string& a, const std::string& b) {
  return a == b || (is_any(a) && is_any(b)) || (is_any(a) && b.find(':') == std::string::npos) ||
         (is_any(b) && a.find(':') == std::string::npos);
}

int replicas(const Service& s) {
  if (s.scale) return *s.scale;
  return s.deploy && s.deploy->replicas ? *s.deploy->replicas : 1;
}

class Linter {
 public:
  Linter(const Project& project, const Node& root, const LoadOptions& options, Report& report)
      : project_(project), root_(root), options_(options), report_(report) {}

  void warnings() {
    const Node* services = root_.find("services");
    if (services == nullptr) return;
    for (const Entry& e : services->entries) {
      const auto service = project_.services.find(e.key);
      if (service != project_.services.end()) ports(e, service->second);
    }
  }

  void notes() {
    const Node* services = root_.find("services");
    if (services == nullptr) return;
    for (const Entry& e : services->entries) {
      quoted_values(e);
      const auto service = project_.services.find(e.key);
      if (service == project_.services.end()) continue;
      health(service->second);
      bind_sources(service->second);
    }
    unused();
  }

 private:
  void ports(const Entry& service, const Service& s) {
    const Node* list = service.value.find("ports");
    if (list == nullptr || list->items.empty()) return;
    if (s.network_mode == "host") {
      report_.warning(
          list->place,
          fmt::format("services.{}.ports has no effect with network_mode: host", service.key),
          "the container's ports are the host's; remove `ports` or `network_mode`",
          "ports-on-host-network");
      return;
    }
    for (const Node& item : list->items) {
      const std::string published = text_of(item, "published");
      int number = 0;
      const char* end = published.data() + published.size();
      const auto r = std::from_chars(published.data(), end, number);
      if (published.empty() || r.ptr != end || number == 0) continue;  // any free port, or a range
      published_port(service, s, item, number);
    }
  }

  void published_port(const Entry& service, const Service& s, const Node& item, int number) {
    const std::string protocol = text_of(item, "protocol");
    const Published here{&service.key, text_of(item, "host_ip"), text_of(item, "target"),
                         item.place};
    if (const int count = replicas(s); count > 1) {
      report_.warning(item.place,
                      fmt::format("services.{}: {} replicas cannot all publish host port {}",
                                  service.key, count, number),
                      fmt::format("publish a range (\"{}-{}:{}\") or no fixed port (\"{}\")",
                                  number, number + count - 1, here.target, here.target),
                      "replicas-share-port");
    }
    auto& others = published_[fmt::format("{}/{}", number, protocol == "udp" ? "udp" : "tcp")];
    for (const Published& other : others) {
      if (meet(other.ip, here.ip)) {
        twice(here, other, number);
        break;
      }
    }
    others.push_back(here);
  }

  void twice(const Published& here, const Published& other, int number) {
    const Sources& sources = report_.sources();
    if (*here.service != *other.service) {
      report_.warning(
          here.place,
          fmt::format("services.{}: host port {} is also published by service {}", *here.service,
                      number, *other.service),
          fmt::format("see {}; one of them will not start", sources.text_of(other.place)),
          "duplicate-port");
      return;
    }
    const bool merged = here.place.file != other.place.file;
    report_.warning(
        here.place,
        fmt::format("services.{}: host port {} is published twice, for {} and for {}",
                    *here.service, number, other.target, here.target),
        fmt::format("see {}{}", sources.text_of(other.place),
                    merged ? "; the lists of several files are joined: `ports: !override` in the "
                             "later one replaces the list"
                           : ""),
        "duplicate-port");
  }

  // KEY="value" in a list: YAML leaves the quotes alone there, and nothing after it takes them
  // away.
  void quoted_values(const Entry& service) {
    for (const char* attribute : {"environment", "labels"}) {
      const Node* values = service.value.find(attribute);
      if (values == nullptr) continue;
      for (const Entry& e : values->entries) {
        const std::string& t = e.value.text;
        if (t.size() < 2 || !written_as_item(e) || t.front() != t.back() ||
            (t.front() != '"' && t.front() != '\'')) {
          continue;
        }
        report_.note(e.value.place,
                     fmt::format("services.{}.{}.{}: the quotes are part of the value", service.key,
                                 attribute, e.key),
                     fmt::format("write {}={}, or put the whole item in quotes", e.key,
                                 t.substr(1, t.size() - 2)),
                     "quotes-in-value");
      }
    }
  }

  // The value's place is that of an item "KEY=value" of a list.
  bool written_as_item(const Entry& e) const {
    const auto line = report_.sources().line(e.value.place);
    auto column = static_cast<std::size_t>(std::max(e.value.place.column, 1)) - 1;
    if (column < line.size() && (line[column] == '"' || line[column] == '\'')) ++column;
    return column < line.size() && line.substr(column).starts_with(e.key + "=");
  }

  void health(const Service& s) {
    for (const auto& [on, dependency] : s.depends_on) {
      const auto other = project_.services.find(on);
      if (dependency.condition != "service_healthy" || other == project_.services.end()) continue;
      const bool disabled = other->second.healthcheck && other->second.healthcheck->disable;
      if (other->second.healthcheck && !disabled) continue;
      report_.note(place_of(root_, {"services", s.name, "depends_on", on}),
                   fmt::format("services.{}: service {} has no healthcheck here", s.name, on),
                   "unless its image has one, the dependency can never be healthy",
                   "no-healthcheck");
    }
    if (s.healthcheck && s.healthcheck->start_interval && !s.healthcheck->start_period) {
      report_.note(place_of(root_, {"services", s.name, "healthcheck", "start_interval"}),
                   fmt::format("services.{}.healthcheck.start_interval requires start_period to be "
                               "set",
                               s.name),
                   {}, "no-start-period");
    }
  }

  void bind_sources(const Service& s) {
    for (const MountConfig& m : s.volumes) {
      const bool creates = !m.bind || m.bind->create_host_path;
      if (m.type != "bind" || !creates || m.source.empty() || m.source[0] != '/') continue;
      if (options_.file_kind(m.source) != FileKind::kAbsent) continue;
      report_.note(place_of(root_, {"services", s.name, "volumes", m.source}),
                   fmt::format("services.{}: {} does not exist and will be created as an empty "
                               "directory",
                               s.name, m.source),
                   "create it first if it is to be a file or to have an owner", "no-bind-source");
    }
  }

  void unused() {
    std::set<std::string> used;
    for (const auto* services : {&project_.services, &project_.disabled_services}) {
      for (const auto& [name, s] : *services) {
        for (const auto& [network, options] : s.networks) used.insert("networks." + network);
        for (const MountConfig& m : s.volumes) used.insert("volumes." + m.source);
        for (const FileReference& f : s.configs) used.insert("configs." + f.source);
        for (const FileReference& f : s.secrets) used.insert("secrets." + f.source);
        if (!s.build) continue;
        for (const FileReference& f : s.build->secrets) used.insert("secrets." + f.source);
      }
    }
    for (const char* kind : {"networks", "volumes", "configs", "secrets"}) {
      const Node* objects = root_.find(kind);
      if (objects == nullptr) continue;
      for (const Entry& e : objects->entries) {
        const std::string name = fmt::format("{}.{}", kind, e.key);
        if (used.contains(name) || name == "networks.default") continue;
        report_.note(e.key_place, fmt::format("{} is used by no service", name), {}, "unused");
      }
    }
  }

  const Project& project_;
  const Node& root_;
  const LoadOptions& options_;
  Report& report_;
  std::unordered_map<std::string, std::vector<Published>> published_;
};

}  // namespace

void lint(const Project& project, const Node& root, const LoadOptions& options, Report& report) {
  Linter linter(project, root, options, report);
  linter.warnings();
  if (options.lint) linter.notes();
}

}  // namespace stack::compose
