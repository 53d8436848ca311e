#include <fmt/core.h>

#include <set>

#include "compose/check.h"

namespace stack::compose {
namespace {

class DependencyChecker {
 public:
  DependencyChecker(const Project& project, const Node& root, Report& report)
      : project_(project), root_(root), report_(report) {}

  void run() {
    const Report::Pass pass(report_, "inconsistent");
    for (const auto& [name, service] : project_.services) check(service);
    check_cycles();
  }

 private:
  void check(const Service& s) {
    for (const auto& [on, dependency] : s.depends_on) {
      if (project_.services.count(on) > 0 || report_.damaged("services", on)) continue;
      const auto disabled = project_.disabled_services.find(on);
      // Optional is what has no active profile, not what nobody declares.
      if (disabled != project_.disabled_services.end() && !dependency.required) continue;
      std::string hint;
      if (disabled != project_.disabled_services.end()) {
        std::string profiles;
        for (const std::string& p : disabled->second.profiles) {
          profiles += (profiles.empty() ? "" : " or ") + ("--profile " + p);
        }
        hint = fmt::format("`{}` is in a profile that is not active: use {}, or `required: false`",
                           on, profiles);
      } else {
        hint = did_you_mean(on, names_of(project_.services));
      }
      report_.error(
          dependency_place(s, on),
          fmt::format("service \"{}\" depends on undefined service \"{}\"{}", s.name, on, kInvalid),
          hint, "undefined-services");
    }
  }

  // The dependency may be implied by a link or a shared namespace.
  Place dependency_place(const Service& s, const std::string& on) const {
    const Place service = place_of(root_, {"services", s.name});
    const Place declared = place_of(root_, {"services", s.name, "depends_on", on});
    if (place_of(root_, {"services", s.name, "depends_on"}).line != service.line) return declared;
    for (const std::string& link : s.links) {
      if (link.substr(0, link.find(':')) == on) {
        return place_of(root_, {"services", s.name, "links", link});
      }
    }
    for (const char* key : {"network_mode", "ipc", "pid", "uts", "cgroup"}) {
      const Place p = place_of(root_, {"services", s.name, key});
      if (p.line != service.line) return p;
    }
    return service;
  }

  // Depth first without recursion: a chain may be as long as the project.
  void check_cycles() {
    std::set<std::string> done;
    for (const auto& [name, service] : project_.services) {
      if (done.contains(name)) continue;
      std::vector<Visit> way{{&name, &service, service.depends_on.begin()}};
      std::set<std::string_view> open{name};
      while (!way.empty()) {
        Visit& last = way.back();
        if (last.next == last.service->depends_on.end()) {
          done.insert(*last.name);
          open.erase(*last.name);
          way.pop_back();
          continue;
        }
        const std::string& on = (last.next++)->first;
        if (open.contains(on)) return report_cycle(way, on);
        const auto found = project_.services.find(on);
        if (found == project_.services.end() || done.contains(on)) continue;
        open.insert(found->first);
        way.push_back({&found->first, &found->second, found->second.depends_on.begin()});
      }
    }
  }

  struct Visit {
    const std::string* name;
    const Service* service;
    decltype(Service::depends_on)::const_iterator next;
  };

  void report_cycle(const std::vector<Visit>& way, const std::string& again) {
    auto first = way.begin();
    while (*first->name != again) ++first;
    std::string text;
    for (auto it = first; it != way.end(); ++it) text += *it->name + " -> ";
    report_.error(dependency_place(*way.back().service, again),
                  fmt::format("dependency cycle detected: {}{}", text, again),
                  "one of these must go without the next", "dependency-cycle");
  }

  const Project& project_;
  const Node& root_;
  Report& report_;
};

}  // namespace

void check_dependencies(const Project& project, const Node& root, Report& report) {
  DependencyChecker(project, root, report).run();
}

}  // namespace stack::compose
