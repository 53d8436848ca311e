// Names and com.docker.compose.* labels, as Docker Compose gives them, so that other tools
// recognise what we make and we recognise what we made. Pure.
#pragma once

#include <string>
#include <vector>

#include "compose/project.h"
#include "scheduler/graph.h"
#include "scheduler/plan.h"

namespace stack::scheduler {

inline constexpr const char* kProjectLabel = "com.docker.compose.project";
inline constexpr const char* kServiceLabel = "com.docker.compose.service";
inline constexpr const char* kVersionLabel = "com.docker.compose.version";
inline constexpr const char* kNumberLabel = "com.docker.compose.container-number";
inline constexpr const char* kOneOffLabel = "com.docker.compose.oneoff";
inline constexpr const char* kSlugLabel = "com.docker.compose.slug";
inline constexpr const char* kConfigHashLabel = "com.docker.compose.config-hash";
inline constexpr const char* kDependsOnLabel = "com.docker.compose.depends_on";
inline constexpr const char* kImageLabel = "com.docker.compose.image";
inline constexpr const char* kWorkingDirLabel = "com.docker.compose.project.working_dir";
inline constexpr const char* kConfigFilesLabel = "com.docker.compose.project.config_files";
inline constexpr const char* kEnvironmentFileLabel = "com.docker.compose.project.environment_file";
inline constexpr const char* kNetworkLabel = "com.docker.compose.network";
inline constexpr const char* kVolumeLabel = "com.docker.compose.volume";
inline constexpr const char* kReplaceLabel = "com.docker.compose.replace";
inline constexpr const char* kComposeVersion = "2.40.3";  // whose behaviour this is

// "" when it is not there.
std::string label_of(const Labels& labels, const std::string& key);

std::string container_name(const compose::Project& project, const compose::Service& service,
                           int number);
// "<project>-<service>" when the service is only built.
std::string image_reference(const compose::Project& project, const compose::Service& service);

// number 0 makes the labels of a one-off, to which the caller adds the slug.
Labels container_labels(const compose::Project& project, const compose::Service& service,
                        const std::vector<Edge>& dependencies, int number,
                        const std::string& config_hash);
Labels network_labels(const compose::Project& project, const std::string& key,
                      const std::string& config_hash);
Labels volume_labels(const compose::Project& project, const std::string& key,
                     const std::string& config_hash);

// "db:service_healthy:true,cache:service_started:false", both ways. Unreadable parts are left out.
std::string depends_on_text(const std::vector<Edge>& dependencies);
std::map<std::string, compose::Dependency> parse_depends_on(std::string_view text);

}  // namespace stack::scheduler
