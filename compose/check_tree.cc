#include <fmt/core.h>

#include <algorithm>

#include "compose/check.h"

namespace stack::compose {
namespace {

bool says(const Node& n, std::string_view key) {
  const Node* child = n.find(key);
  return child != nullptr && !child->is_null() && !(child->is_scalar() && child->text.empty());
}

// secrets, configs: one source, unless external.
void check_file_source(const Entry& e, std::string_view kind,
                       std::initializer_list<std::string_view> sources, Report& report) {
  const Node* external = e.value.find("external");
  const bool is_external = external != nullptr && external->text == "true";
  std::string list;
  std::size_t count = 0;
  for (const std::string_view s : sources) {
    list += (list.empty() ? "" : "|") + std::string(s);
    if (e.value.find(s) != nullptr) ++count;
  }
  if (count > 1) {
    report.error(e.key_place,
                 fmt::format("{}.{}: {} attributes are mutually exclusive", kind, e.key, list));
  } else if (count == 0 && !is_external) {
    const bool driver = e.value.find("driver") != nullptr;
    if (!driver)
      report.error(e.key_place, fmt::format("{}.{}: one of {} must be set", kind, e.key, list));
  } else if (count > 0 && is_external) {
    report.error(e.key_place,
                 fmt::format("{}.{}: conflicting parameters \"external\" and \"{}\" specified",
                             kind, e.key, list));
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

void check_container_name(const Entry& service, Report& report) {
  const Node* name = service.value.find("container_name");
  if (name == nullptr || !name->is_string()) return;
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  const std::string& t = name->text;
  const bool good = t.size() >= 2 && kLetters.find(t[0]) != std::string_view::npos &&
                    t.find_first_not_of(std::string(kLetters) + "_.-") == std::string::npos;
  if (!good) {
    report.error(name->place, fmt::format("services.{}.container_name '{}' does not match pattern "
                                          "'[a-zA-Z0-9][a-zA-Z0-9_.-]+'",
                                          service.key, t));
  }
}

// Two mounts on one target, also volumes against tmpfs.
void check_targets(const Entry& service, Report& report) {
  std::vector<std::pair<std::string, std::string>> seen;
  const auto add = [&](std::string target, std::string at, Place place) {
    while (target.size() > 1 && target.back() == '/') target.pop_back();
    for (const auto& [other, where] : seen) {
      if (other != target) continue;
      report.error(place, fmt::format("{}: target {} already mounted as {}", at, target, where));
      return;
    }
    seen.emplace_back(std::move(target), std::move(at));
  };
  if (const Node* tmpfs = service.value.find("tmpfs")) {
    for (std::size_t i = 0; i < tmpfs->items.size(); ++i) {
      const std::string& t = tmpfs->items[i].text;
      add(t.substr(0, t.find(':')), fmt::format("services.{}.tmpfs[{}]", service.key, i),
          tmpfs->items[i].place);
    }
  }
  if (const Node* volumes = service.value.find("volumes")) {
    for (std::size_t i = 0; i < volumes->items.size(); ++i) {
      const Node& v = volumes->items[i];
      const Node* target = v.find("target");
      if (target == nullptr || target->text.empty()) {
        report.error(v.place, fmt::format("service volume services.{}.volumes.[{}] is missing a "
                                          "mount target",
                                          service.key, i));
      } else {
        add(target->text, fmt::format("services.{}.volumes[{}]", service.key, i), target->place);
      }
    }
  }
}

void check_watch(const Entry& service, Report& report) {
  const Node* develop = service.value.find("develop");
  const Node* watch = develop == nullptr ? nullptr : develop->find("watch");
  if (watch == nullptr) return;
  for (const Node& w : watch->items) {
    const Node* action = w.find("action");
    if (action == nullptr || action->text == "rebuild" || action->text == "restart") continue;
    if (says(w, "target")) continue;
    report.error(w.place, fmt::format("services.{}.develop.watch: target is required for "
                                      "non-rebuild actions: invalid compose project",
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
    check_container_name(e, report);
    check_targets(e, report);
    check_watch(e, report);
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
