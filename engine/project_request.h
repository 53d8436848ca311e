// The requests of the project endpoints and the lines of their answers, docs/api.md.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "scheduler/run.h"

namespace stack::engine {

struct ProjectRequest {
  std::string verb;
  scheduler::ProjectPtr project;            // null when the body has none
  std::shared_ptr<nlohmann::json> options;  // an object, never null
  std::string service;                      // run
  std::string who;                          // "root: stack up -d"; empty: some client
};
Result<ProjectRequest> parse_project_request(const std::string& verb, std::string_view body);

nlohmann::json to_json(const scheduler::ProgressLine& line);
nlohmann::json to_json(const std::string& verb, const scheduler::RunResult& result, bool dry_run);
nlohmann::json to_json(const Error& error);

}  // namespace stack::engine
