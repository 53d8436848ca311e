#include "cli/containers.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "compose/project.h"

namespace stack::cli {

Result<std::vector<Container>> project_containers(Context& context, const ProjectScope& scope,
                                                  const std::vector<std::string>& services,
                                                  bool all) {
  const Engine* engine = TRY(context.engine());
  auto found = TRY(engine->containers(all, {fmt::format("{}={}", label::kProject, scope.name)}));
  const auto has_service = [&found](const std::string& name) {
    return std::any_of(found.begin(), found.end(),
                       [&name](const Container& c) { return c.service() == name; });
  };
  for (const std::string& name : services) {
    if (has_service(name)) continue;
    if (scope.project != nullptr) {
      TRY(check_services(*scope.project, {name}));
    } else if (all) {
      return Error::not_found(fmt::format("no such service: {}", name));
    }
  }
  if (!services.empty()) {
    std::erase_if(found, [&services](const Container& c) {
      return std::find(services.begin(), services.end(), c.service()) == services.end();
    });
  }
  std::sort(found.begin(), found.end(),
            [](const Container& a, const Container& b) { return a.name < b.name; });
  return found;
}

Result<Container> running_container(Context& context, const ProjectScope& scope,
                                    const std::string& service, long index) {
  const Engine* engine = TRY(context.engine());
  std::vector<std::string> labels{fmt::format("{}={}", label::kProject, scope.name),
                                  fmt::format("{}={}", label::kService, service)};
  if (index > 0) labels.push_back(fmt::format("{}={}", label::kNumber, index));
  auto found = TRY(engine->containers(false, labels));
  if (found.empty()) {
    Error error = Error::conflict(
        index > 0 ? fmt::format("service \"{}\" is not running container #{}", service, index)
                  : fmt::format("service \"{}\" is not running", service));
    const bool unknown = scope.project != nullptr && !scope.project->services.contains(service);
    error.remedy =
        unknown ? check_services(*scope.project, {service}).error().remedy
                : fmt::format("Start it with `stack up -d {}`, and see `stack ps -a`.", service);
    return error;
  }
  return *std::min_element(found.begin(), found.end(), [](const Container& a, const Container& b) {
    return std::pair(a.one_off(), a.number()) < std::pair(b.one_off(), b.number());
  });
}

std::string health_of(const Container& container) {
  const std::string& status = container.status;
  if (status.find("(healthy)") != std::string::npos) return "healthy";
  if (status.find("(unhealthy)") != std::string::npos) return "unhealthy";
  if (status.find("(health: starting)") != std::string::npos) return "starting";
  return "";
}

int exit_code_of(const Container& container) {
  if (container.state != "exited" && container.state != "restarting" && container.state != "dead")
    return 0;
  const std::size_t open = container.status.find('(');
  if (open == std::string::npos) return 0;
  int code = 0;
  std::from_chars(container.status.data() + open + 1,
                  container.status.data() + container.status.size(), code);
  return code;
}

}  // namespace stack::cli
