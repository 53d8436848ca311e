#include "engine/project_record.h"

#include <nlohmann/json.hpp>

#include "compose/loader.h"
#include "compose/render.h"

namespace stack::engine {

using nlohmann::json;

namespace {

std::vector<std::string> strings(const json& record, const char* key) {
  std::vector<std::string> out;
  for (const auto& item : record.value(key, json::array())) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

}  // namespace

json project_record(const compose::Project& project) {
  return {{"project", compose::to_json(project)},
          {"working_dir", project.working_dir},
          {"config_files", project.config_files},
          {"environment_files", project.environment_files},
          {"environment", compose::environment_of_files(project)}};
}

Result<compose::Project> parse_project_record(const json& record) {
  if (!record.is_object()) return Error::make(ErrorKind::kInternal, "the record is not JSON");
  auto project = TRY(compose::load_canonical(record.value("project", "")));
  project.working_dir = record.value("working_dir", "");
  project.config_files = strings(record, "config_files");
  project.environment_files = strings(record, "environment_files");
  project.environment = record.value("environment", std::map<std::string, std::string>{});
  return project;
}

}  // namespace stack::engine
