#include "scheduler/labels.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace stack::scheduler {

std::string label_of(const Labels& labels, const std::string& key) {
  const auto it = labels.find(key);
  return it == labels.end() ? std::string() : it->second;
}

std::string container_name(const compose::Project& project, const compose::Service& service,
                           int number) {
  if (!service.container_name.empty()) return service.container_name;
  return fmt::format("{}-{}-{}", project.name, service.name, number);
}

std::string image_reference(const compose::Project& project, const compose::Service& service) {
  return service.image.empty() ? project.name + "-" + service.name : service.image;
}

Labels container_labels(const compose::Project& project, const compose::Service& service,
                        const std::vector<Edge>& dependencies, int number,
                        const std::string& config_hash) {
  Labels labels = {
      {kProjectLabel, project.name},
      {kServiceLabel, service.name},
      {kVersionLabel, kComposeVersion},
      {kOneOffLabel, number == 0 ? "True" : "False"},
      {kConfigHashLabel, config_hash},
      {kDependsOnLabel, depends_on_text(dependencies)},
      {kWorkingDirLabel, project.working_dir},
      {kConfigFilesLabel, fmt::format("{}", fmt::join(project.config_files, ","))},
  };
  if (number != 0) labels[kNumberLabel] = std::to_string(number);
  if (!project.environment_files.empty()) {
    labels[kEnvironmentFileLabel] = fmt::format("{}", fmt::join(project.environment_files, ","));
  }
  return labels;
}

Labels network_labels(const compose::Project& project, const std::string& key,
                      const std::string& config_hash) {
  return {{kProjectLabel, project.name},
          {kNetworkLabel, key},
          {kVersionLabel, kComposeVersion},
          {kConfigHashLabel, config_hash}};
}

Labels volume_labels(const compose::Project& project, const std::string& key,
                     const std::string& config_hash) {
  return {{kProjectLabel, project.name},
          {kVolumeLabel, key},
          {kVersionLabel, kComposeVersion},
          {kConfigHashLabel, config_hash}};
}

std::string depends_on_text(const std::vector<Edge>& dependencies) {
  std::string text;
  for (const Edge& edge : dependencies) {
    text += fmt::format("{}{}:{}:{}", text.empty() ? "" : ",", edge.service,
                        to_string(edge.condition), edge.restart);
  }
  return text;
}

std::map<std::string, compose::Dependency> parse_depends_on(std::string_view text) {
  std::map<std::string, compose::Dependency> dependencies;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const auto colon = part.find(':');
    if (part.substr(0, colon).empty()) continue;
    compose::Dependency dependency;
    dependency.required = false;  // it may be gone: labels outlive the services that they name
    if (colon != std::string_view::npos) {
      const std::string_view rest = part.substr(colon + 1);
      const auto second = rest.find(':');
      dependency.condition = rest.substr(0, second);
      dependency.restart = second != std::string_view::npos && rest.substr(second + 1) == "true";
    }
    dependencies.emplace(part.substr(0, colon), std::move(dependency));
  }
  return dependencies;
}

}  // namespace stack::scheduler
