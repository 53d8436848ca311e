// What `stack plan` shows and keeps: the engine's dry run of `up`, and in a file with the
// declaration and the options that it was made for, so that `up --plan` can do exactly that.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/project_run.h"

namespace stack::cli {

struct PlanChange {
  std::string path, before, after;
};
struct PlanStep {
  int id = 0;
  std::string action;  // create, replace, start, ...
  std::string what;    // "create container demo-web-1"
  std::string cause;
  bool changes = true;  // false: it only waits
  std::vector<PlanChange> attributes;
};
struct PlanView {
  int changes = 0;
  std::string fingerprint;
  std::vector<PlanStep> steps;
};
Result<PlanView> parse_plan(const std::string& json);
// A line for each step that is worth one, and a sum.
std::string plan_text(const PlanView& plan, const std::string& project);

struct RevisionRow {
  int number = 0;
  std::string time, who, why, services;
};
Result<std::vector<RevisionRow>> parse_revisions(const std::string& json);
struct WhyRow {
  int depth = 0;
  std::string text;
};
Result<std::vector<WhyRow>> parse_why(const std::string& json);
struct HistoryRow {
  std::string time, service, container, action, why, who;
};
Result<std::vector<HistoryRow>> parse_history(const std::string& json);

// The document of `-o` and `--format json`.
std::string plan_document(const ProjectRequest& request, const std::string& plan_json);

struct PlanFile {
  std::string name;          // of the project
  std::string project_json;  // canonical document
  std::string working_dir;
  std::vector<std::string> config_files;
  std::vector<std::string> environment_files;
  std::vector<std::string> disabled_services;  // of profiles that were not active: no orphans
  std::string options_json;                    // as they were
  std::string fingerprint;
};
// As the engine takes them for exactly this plan.
Result<JsonObject> options_of(const PlanFile& file);
Result<PlanFile> read_plan_file(const std::string& path);

}  // namespace stack::cli
