#include <arpa/inet.h>
#include <fmt/core.h>

#include "compose/check.h"
#include "compose/probe.h"

namespace stack::compose {
namespace {

// secrets, configs: one source, unless external.
void check_file_source(const Entry& e, std::string_view kind,
                       std::initializer_list<std::string_view> sources, Report& report) {
  if (report.damaged(kind, e.key)) return;
  std::string list;
  std::size_t count = 0;
  for (const std::string_view s : sources) {
    list += (list.empty() ? "" : "|") + std::string(s);
    if (e.value.find(s) != nullptr) ++count;
  }
  if (count > 1) {
    report.error(e.key_place,
                 fmt::format("{}.{}: {} attributes are mutually exclusive", kind, e.key, list));
  } else if (count == 0 && e.value.find("driver") == nullptr &&
             e.value.find("external") == nullptr) {
    report.error(e.key_place, fmt::format("{}.{}: one of {} must be set", kind, e.key, list));
  }
}

void check_volume(const Entry& e, Report& report) {
  const Node* external = e.value.find("external");
  if (external == nullptr || external->text != "true") return;
  for (const Entry& other : e.value.entries) {
    if (other.key == "external" || other.key == "name" || other.key.rfind("x-", 0) == 0) continue;
    report.error(other.key_place,
                 fmt::format("volumes.{}: conflicting parameters \"external\" and \"{}\" specified",
                             e.key, other.key));
  }
}

bool is_address(const std::string& text) {
  unsigned char buffer[16];
  return ::inet_pton(AF_INET, text.c_str(), buffer) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

const Node* at(const Node& n, std::initializer_list<std::string_view> path) {
  const Node* found = &n;
  for (const std::string_view key : path) {
    if (found != nullptr) found = found->find(key);
  }
  return found;
}

void check_ports(const Entry& service, Report& report) {
  const Node* ports = service.value.find("ports");
  if (ports == nullptr) return;
  for (const Node& p : ports->items) {
    const Node* address = p.find("host_ip");
    if (address == nullptr || is_address(address->text)) continue;
    report.error(address->place, fmt::format("services.{}.ports.[]: invalid ip address: {}",
                                             service.key, address->text));
  }
}

void check_devices(const Node* requests, const Entry& service, const char* key, Report& report) {
  if (requests == nullptr) return;
  for (const Node& r : requests->items) {
    const Node* ids = r.find("device_ids");
    if (r.find("count") == nullptr || ids == nullptr) continue;
    report.error(ids->place,
                 fmt::format("services.{}.{}.[]: \"count\" and \"device_ids\" attributes are "
                             "exclusive",
                             service.key, key));
  }
}

void check_watch(const Entry& service, Report& report) {
  const Node* watch = at(service.value, {"develop", "watch"});
  if (watch == nullptr) return;
  for (const Node& w : watch->items) {
    const Node* path = w.find("path");
    if (path == nullptr || !path->text.empty()) continue;
    report.error(path->place, fmt::format("services.{}.develop.watch.[].path: value can't be blank",
                                          service.key));
  }
}

void check_mounts(const Entry& service, Report& report) {
  const Node* volumes = service.value.find("volumes");
  if (volumes == nullptr) return;
  for (const Node& v : volumes->items) {
    const Node* type = v.find("type");
    if (type == nullptr || type->text != "bind" || v.find("source") != nullptr) continue;
    report.error(v.place, fmt::format("services.{}.volumes: invalid mount config for type "
                                      "\"bind\": field Source must not be empty",
                                      service.key));
  }
}

template <typename F>
void each(const Node& root, std::string_view kind, const F& f) {
  const Node* objects = root.find(kind);
  if (objects == nullptr) return;
  for (const Entry& e : objects->entries) {
    if (e.value.is_map()) f(e);
  }
}

}  // namespace

void check_tree(const Node& root, Report& report) {
  const Report::Pass pass(report, "inconsistent");
  each(root, "services", [&](const Entry& e) {
    check_ports(e, report);
    check_watch(e, report);
    check_mounts(e, report);
    check_devices(e.value.find("gpus"), e, "gpus", report);
    check_devices(at(e.value, {"deploy", "resources", "reservations", "devices"}), e,
                  "deploy.resources.reservations.devices", report);
    check_probe(e, report);
  });
  each(root, "volumes", [&](const Entry& e) { check_volume(e, report); });
  each(root, "secrets", [&](const Entry& e) {
    check_file_source(e, "secrets", {"file", "environment"}, report);
  });
  each(root, "configs", [&](const Entry& e) {
    check_file_source(e, "configs", {"file", "environment", "content"}, report);
  });
}

Place place_of(const Node& root, std::initializer_list<std::string_view> path) {
  const Node* node = &root;
  Place place;
  for (const std::string_view part : path) {
    const Node* next = nullptr;
    for (const Entry& e : node->entries) {
      if (e.key == part) {
        next = &e.value;
        place = e.key_place;
      }
    }
    for (const Node& i : node->items) {
      const Node* source = i.find("source");
      if (i.text == part || (source != nullptr && source->text == part)) {
        next = &i;
        place = i.place;
      }
    }
    if (next == nullptr) break;
    if (next->is_scalar() && next->place.line > 0) place = next->place;
    node = next;
  }
  return place;
}

}  // namespace stack::compose
