#include "cli/plan_file.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "compose/project.h"

namespace stack::cli {

namespace {

using nlohmann::json;

constexpr int kFormat = 1;

std::string text(const json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::vector<std::string> texts(const json& object, const char* key) {
  std::vector<std::string> out;
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array()) return out;
  for (const auto& item : *it) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

char sign_of(const PlanStep& step) {
  if (!step.changes) return '.';
  if (step.action == "create" || step.action == "pull" || step.action == "build") return '+';
  if (step.action == "remove" || step.action == "stop" || step.action == "kill") return '-';
  return '~';
}

}  // namespace

Result<PlanView> parse_plan(const std::string& document) {
  const json plan = json::parse(document, nullptr, false);
  if (!plan.is_object())
    return Error::make(ErrorKind::kInternal, "the engine's answer holds no plan");
  PlanView view;
  view.changes = plan.value("changes", 0);
  view.fingerprint = text(plan, "fingerprint");
  for (const auto& item : plan.value("steps", json::array())) {
    PlanStep step;
    step.id = item.value("id", 0);
    step.action = text(item, "action");
    step.what = text(item, "what");
    step.cause = text(item, "cause");
    step.changes = item.value("changes", true);
    for (const auto& change : item.value("attributes", json::array()))
      step.attributes.push_back({text(change, "path"), text(change, "old"), text(change, "new")});
    view.steps.push_back(std::move(step));
  }
  return view;
}

std::string plan_text(const PlanView& plan, const std::string& project) {
  std::string out;
  for (const PlanStep& step : plan.steps) {
    if (step.action == "milestone" || (!step.changes && step.cause.empty())) continue;
    out += fmt::format("  {} {}", sign_of(step), step.what);
    if (!step.cause.empty()) out += ": " + step.cause;
    out += '\n';
    if (step.attributes.size() < 2) continue;
    for (const PlanChange& change : step.attributes) {
      out += fmt::format("      {}: {} -> {}\n", change.path,
                         change.before.empty() ? "(none)" : change.before,
                         change.after.empty() ? "(none)" : change.after);
    }
  }
  if (plan.changes == 0) return out + fmt::format("Project {}: nothing to change.\n", project);
  return fmt::format("Project {}: {} step{} to do\n", project, plan.changes,
                     plan.changes == 1 ? "" : "s") +
         out;
}

namespace {

// Fills a row of each object of a list.
template <typename T, typename F>
Result<std::vector<T>> rows_of(const std::string& document, const F& fill) {
  const json list = json::parse(document, nullptr, false);
  if (!list.is_array())
    return Error::make(ErrorKind::kInternal, "the engine's answer is not a list");
  std::vector<T> rows;
  for (const json& item : list) {
    if (item.is_object()) rows.push_back(fill(item));
  }
  return rows;
}

}  // namespace

Result<std::vector<RevisionRow>> parse_revisions(const std::string& document) {
  return rows_of<RevisionRow>(document, [](const json& item) {
    RevisionRow row{item.value("Revision", 0),
                    text(item, "Time").substr(0, 19),
                    text(item, "Who"),
                    text(item, "Why"),
                    {}};
    for (const std::string& service : texts(item, "Services"))
      row.services += (row.services.empty() ? "" : ", ") + service;
    return row;
  });
}

Result<std::vector<WhyRow>> parse_why(const std::string& document) {
  return rows_of<WhyRow>(document, [](const json& item) {
    return WhyRow{item.value("Depth", 0), text(item, "Text")};
  });
}

Result<std::vector<HistoryRow>> parse_history(const std::string& document) {
  return rows_of<HistoryRow>(document, [](const json& item) {
    return HistoryRow{text(item, "Time").substr(0, 23),
                      text(item, "Service"),
                      text(item, "Container"),
                      text(item, "Action"),
                      text(item, "Why"),
                      text(item, "Who")};
  });
}

std::string plan_document(const ProjectRequest& request, const std::string& plan_json) {
  json out{{"stack_plan", kFormat}, {"name", request.scope.name}};
  const json body = json::parse(project_request_body(request, false), nullptr, false);
  for (const char* key : {"project", "working_dir", "config_files", "environment_files",
                          "disabled_services", "options"}) {
    if (body.contains(key)) out[key] = body.at(key);
  }
  out["plan"] = json::parse(plan_json, nullptr, false);
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<JsonObject> options_of(const PlanFile& file) {
  const json options = json::parse(file.options_json, nullptr, false);
  if (!options.is_object()) return Error::invalid("the options in the plan are not an object");
  JsonObject out;
  for (const auto& [key, value] : options.items()) {
    if (key != "dry_run" && key != "expected") out.add_json(key, value.dump());
  }
  out.add("expected", file.fingerprint);
  return out;
}

Result<PlanFile> read_plan_file(const std::string& path) {
  const std::string content = TRY(read_file(path));
  const json document = json::parse(content, nullptr, false);
  if (!document.is_object() || document.value("stack_plan", 0) != kFormat ||
      !document.contains("project") || !document.contains("plan")) {
    return Error::invalid(path + " is not a plan").fix("Make one with `stack plan -o FILE`.");
  }
  PlanFile file;
  file.name = text(document, "name");
  const json& project = document.at("project");
  file.project_json = project.is_string() ? project.get<std::string>() : project.dump();
  file.working_dir = text(document, "working_dir");
  file.config_files = texts(document, "config_files");
  file.environment_files = texts(document, "environment_files");
  file.disabled_services = texts(document, "disabled_services");
  file.options_json = document.value("options", json::object()).dump();
  file.fingerprint = text(document.at("plan"), "fingerprint");
  if (file.name.empty() || file.fingerprint.empty())
    return Error::invalid(path + " is not a whole plan")
        .fix("Make it again with `stack plan -o FILE`.");
  return file;
}

}  // namespace stack::cli
