#include <fmt/core.h>

#include <algorithm>

#include "compose/check.h"
#include "compose/normalize.h"

namespace stack::compose {
namespace {

class ProjectChecker {
 public:
  ProjectChecker(const Project& project, const Node& root, Report& report)
      : project_(project), root_(root), report_(report) {}

  void run() {
    const Report::Pass pass(report_, "inconsistent");
    for (const auto& [name, service] : project_.services) {
      check_image(service);
      check_contexts(service);
      check_networks(service);
      check_files(service);
      check_scale(service);
      check_health(service);
      check_watch(service);
      check_targets(service);
    }
    check_secrets();
    check_container_names();
  }

 private:
  void check_image(const Service& s) {
    if (s.image.empty() && !s.build && !s.provider && !report_.damaged("services", s.name)) {
      report_.error(place_of(root_, {"services", s.name}),
                    fmt::format("service \"{}\" has neither an image nor a build context "
                                "specified{}",
                                s.name, kInvalid),
                    "say `image:` or `build:`", "no-image");
    }
    if (s.build && !s.build->dockerfile.empty() && !s.build->dockerfile_inline.empty()) {
      report_.error(place_of(root_, {"services", s.name, "build", "dockerfile_inline"}),
                    fmt::format("service \"{}\" declares mutualy exclusive dockerfile and "
                                "dockerfile_inline{}",
                                s.name, kInvalid));
    }
    if (s.build && !s.platform.empty() && !s.build->platforms.empty() &&
        std::find(s.build->platforms.begin(), s.build->platforms.end(), s.platform) ==
            s.build->platforms.end()) {
      report_.error(
          place_of(root_, {"services", s.name, "build", "platforms"}),
          fmt::format("service.build.platforms MUST include service.platform \"{}\"", s.platform));
    }
  }

  // Contexts that are what other services build.
  void check_contexts(const Service& s) {
    if (!s.build) return;
    for (const auto& [name, context] : s.build->additional_contexts) {
      const std::string on = service_of_mode(context);
      if (on.empty()) continue;
      const auto service = project_.services.find(on);
      if (service != project_.services.end() && service->second.build) continue;
      report_.error(
          place_of(root_, {"services", s.name, "build", "additional_contexts"}),
          fmt::format("service \"{}\" declares {} service \"{}\" as additional contexts "
                      "{}",
                      s.name, service == project_.services.end() ? "unknown" : "non-buildable", on,
                      name),
          did_you_mean(on, names_of(project_.services)));
    }
  }
  void check_health(const Service& s) {
    if (!s.healthcheck || s.healthcheck->test.empty()) return;
    const std::string& first = s.healthcheck->test[0];
    if (first == "CMD" || first == "CMD-SHELL" || first == "NONE") return;
    report_.error(place_of(root_, {"services", s.name, "healthcheck", "test"}),
                  fmt::format("services.{}: healthcheck.test must start either by \"CMD\", "
                              "\"CMD-SHELL\" or \"NONE\"",
                              s.name),
                  did_you_mean(first, {"CMD", "CMD-SHELL", "NONE"}));
  }

  void check_watch(const Service& s) {
    if (!s.develop) return;
    for (const WatchTrigger& w : s.develop->watch) {
      if (!w.target.empty() || w.action == "rebuild" || w.action == "restart") continue;
      report_.error(place_of(root_, {"services", s.name, "develop", "watch"}),
                    fmt::format("services.{}.develop.watch: target is required for non-rebuild "
                                "actions{}",
                                s.name, kInvalid));
    }
  }

  // Two mounts on one target, also volumes against tmpfs.
  void check_targets(const Service& s) {
    std::map<std::string_view, std::pair<const char*, std::size_t>> seen;
    const auto add = [&](std::string_view target, const char* list, std::size_t i,
                         const std::string& item) {
      const auto [there, inserted] = seen.emplace(target, std::pair(list, i));
      if (inserted) return;
      const auto& [other, position] = there->second;
      report_.error(
          place_of(root_, {"services", s.name, list, item}),
          fmt::format("services.{}.{}[{}]: target {} already mounted as services.{}.{}[{}]", s.name,
                      list, i, target, s.name, other, position));
    };
    for (std::size_t i = 0; i < s.tmpfs.size(); ++i) {
      add(std::string_view(s.tmpfs[i]).substr(0, s.tmpfs[i].find(':')), "tmpfs", i, s.tmpfs[i]);
    }
    for (std::size_t i = 0; i < s.volumes.size(); ++i) {
      add(s.volumes[i].target, "volumes", i, s.volumes[i].source);
    }
  }

  void check_secrets() {
    for (const auto& [name, secret] : project_.secrets) {
      if (secret.external || !secret.file.empty() || !secret.environment.empty()) continue;
      report_.error(place_of(root_, {"secrets", name}),
                    fmt::format("secret \"{}\" must declare either `file` or `environment`{}", name,
                                kInvalid));
    }
  }

  void check_networks(const Service& s) {
    if (!s.network_mode.empty() && !s.networks.empty()) {
      report_.error(place_of(root_, {"services", s.name, "network_mode"}),
                    fmt::format("service {} declares mutually exclusive `network_mode` and "
                                "`networks`{}",
                                s.name, kInvalid));
    }
    for (const auto& [network, options] : s.networks) {
      if (project_.networks.count(network) == 0) {
        undefined(s, {"networks", network}, "network", network, names_of(project_.networks),
                  "networks");
      }
    }
  }

  void check_files(const Service& s) {
    for (const MountConfig& m : s.volumes) {
      if (m.type == "volume" && !m.source.empty() && project_.volumes.count(m.source) == 0) {
        undefined(s, {"volumes", m.source}, "volume", m.source, names_of(project_.volumes),
                  "volumes");
      }
    }
    for (const FileReference& f : s.configs) {
      if (project_.configs.count(f.source) == 0) {
        undefined(s, {"configs", f.source}, "config", f.source, names_of(project_.configs),
                  "configs");
      }
    }
    for (const FileReference& f : s.secrets) {
      if (project_.secrets.count(f.source) == 0) {
        undefined(s, {"secrets", f.source}, "secret", f.source, names_of(project_.secrets),
                  "secrets");
      }
    }
    if (s.build) {
      for (const FileReference& f : s.build->secrets) {
        if (project_.secrets.count(f.source) == 0) {
          undefined(s, {"build", "secrets"}, "build secret", f.source, names_of(project_.secrets),
                    "secrets");
        }
      }
    }
    for (const auto& [model, options] : s.models) {
      if (project_.models.count(model) == 0) {
        undefined(s, {"models", model}, "model", model, names_of(project_.models), "models");
      }
    }
  }

  struct At {
    std::string_view list;
    std::string_view item;
  };

  void undefined(const Service& s, At at, const char* kind, const std::string& name,
                 const std::vector<std::string>& known, const char* section) {
    if (report_.damaged(section, name)) return;
    std::string hint = did_you_mean(name, known);
    if (hint.empty()) hint = fmt::format("declare it under the top-level `{}:`", section);
    report_.error(
        place_of(root_, {"services", s.name, at.list, at.item}),
        fmt::format("service \"{}\" refers to undefined {} {}{}", s.name, kind, name, kInvalid),
        hint, fmt::format("undefined-{}", section));
  }

  template <typename T>
  void distinct(const Service& s, const char* one, T a, const char* other, T b) {
    if (a == T{} || a == b) return;
    report_.error(place_of(root_, {"services", s.name, one}),
                  fmt::format("services.{}: can't set distinct values on '{}' and '{}'{}", s.name,
                              one, other, kInvalid));
  }

  void check_scale(const Service& s) {
    if (s.scale && s.deploy && s.deploy->replicas && *s.scale != *s.deploy->replicas) {
      report_.error(place_of(root_, {"services", s.name, "scale"}),
                    fmt::format("services.{}: can't set distinct values on 'scale' and "
                                "'deploy.replicas'{}",
                                s.name, kInvalid));
    }
    for (const auto& [count, attribute] :
         {std::pair{s.scale, "scale"},
          std::pair{s.deploy ? s.deploy->replicas : std::nullopt, "deploy.replicas"}}) {
      if (!count || *count >= 0) continue;
      report_.error(
          place_of(root_, {"services", s.name, "scale"}),
          fmt::format("services.{}.{}: must be greater than or equal to 0", s.name, attribute));
    }
    const int scale = s.scale ? *s.scale : s.deploy && s.deploy->replicas ? *s.deploy->replicas : 1;
    if (!s.container_name.empty() && scale > 1) {
      report_.error(place_of(root_, {"services", s.name, "container_name"}),
                    fmt::format("services.{}: can't set container_name and scale as container name "
                                "must be unique{}",
                                s.name, kInvalid));
    }
    if (!s.deploy) return;
    if (s.deploy->limits) {
      distinct(s, "cpus", s.cpus, "deploy.resources.limits.cpus", s.deploy->limits->cpus);
      distinct(s, "mem_limit", s.mem_limit, "deploy.resources.limits.memory",
               s.deploy->limits->memory);
      distinct(s, "pids_limit", s.pids_limit, "deploy.resources.limits.pids",
               s.deploy->limits->pids);
    }
    if (s.deploy->reservations) {
      distinct(s, "mem_reservation", s.mem_reservation, "deploy.resources.reservations.memory",
               s.deploy->reservations->memory);
    }
  }

  void check_container_names() {
    std::map<std::string, std::string> owners;
    for (const auto& [name, service] : project_.services) {
      if (service.container_name.empty()) continue;
      const auto [it, inserted] = owners.emplace(service.container_name, name);
      if (inserted) continue;
      report_.error(place_of(root_, {"services", name, "container_name"}),
                    fmt::format("services.{}: container name \"{}\" is already in use by service "
                                "\"{}\"",
                                name, service.container_name, it->second));
    }
  }

  const Project& project_;
  const Node& root_;
  Report& report_;
};

}  // namespace

void check_project(const Project& project, const Node& root, Report& report) {
  ProjectChecker(project, root, report).run();
  check_dependencies(project, root, report);
}

}  // namespace stack::compose
