#include "engine/project_request.h"

#include <nlohmann/json.hpp>
#include <set>

#include "compose/loader.h"
#include "engine/plan_json.h"
#include "engine/project_options.h"

namespace stack::engine {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestName = 200;

json to_json(const scheduler::ContainerSummary& c) {
  return {{"id", c.id}, {"name", c.name}, {"service", c.service}, {"number", c.number}};
}

std::vector<std::string> strings(const json& body, const char* key) {
  std::vector<std::string> out;
  const auto it = body.find(key);
  if (it == body.end() || !it->is_array()) return out;
  for (const auto& item : *it) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

}  // namespace

json to_json(const scheduler::ProgressLine& line) {
  if (const auto* event = std::get_if<scheduler::ProgressEvent>(&line)) {
    json out{
        {"id", event->id}, {"status", event->status}, {"kind", scheduler::to_string(event->kind)}};
    if (!event->text.empty()) out["text"] = event->text;
    if (!event->parent.empty()) out["parent"] = event->parent;
    if (event->current != 0) out["current"] = event->current;
    if (event->total != 0) out["total"] = event->total;
    return out;
  }
  if (const auto* output = std::get_if<scheduler::OutputLine>(&line)) {
    return {{"log", output->text}, {"id", output->id}, {"stream", output->stream}};
  }
  return {{"warning", std::get<scheduler::Warning>(line).text}};
}

json to_json(const std::string& verb, const scheduler::RunResult& result, bool dry_run) {
  json out = json::object();
  if (verb == "run") {
    out = {{"id", result.created.id}, {"name", result.created.name}};
  } else {
    out["containers"] = json::array();
    for (const auto& c : result.containers) out["containers"].push_back(to_json(c));
  }
  if (verb == "build") out["images"] = result.images;
  for (const auto& question : result.questions)
    out["questions"].push_back({{"volume", question.volume}, {"text", question.text}});
  if (dry_run) out["plan"] = to_json(result.plan, result.fingerprint);
  return out;
}

json to_json(const Error& error) {
  json out{{"message", error.to_string()},
           {"exit_code", error.kind == ErrorKind::kCancelled ? 130 : 1}};
  if (!error.remedy.empty()) out["remedy"] = error.remedy;
  return {{"error", std::move(out)}};
}

Result<ProjectRequest> parse_project_request(const std::string& verb, std::string_view text) {
  const json body = json::parse(text.empty() ? "{}" : text, nullptr, false);
  if (!body.is_object()) return Error::invalid("the body is not a JSON object");
  ProjectRequest request;
  request.verb = verb;
  request.options = std::make_shared<json>(json::object());
  if (const auto it = body.find("options"); it != body.end() && it->is_object())
    *request.options = *it;
  if (const auto it = body.find("service"); it != body.end() && it->is_string())
    request.service = it->get<std::string>();
  if (const auto it = body.find("who"); it != body.end() && it->is_string())
    request.who = it->get<std::string>().substr(0, kLongestName);
  if (const auto it = body.find("project"); it != body.end() && !it->is_null()) {
    auto project =
        TRY(compose::load_canonical(it->is_string() ? it->get<std::string>() : it->dump()));
    if (const auto dir = body.find("working_dir"); dir != body.end() && dir->is_string())
      project.working_dir = dir->get<std::string>();
    project.config_files = strings(body, "config_files");
    project.environment_files = strings(body, "environment_files");
    if (const auto env = body.find("environment"); env != body.end() && env->is_object()) {
      for (const auto& [key, value] : env->items()) {
        if (value.is_string()) project.environment[key] = value.get<std::string>();
      }
    }
    // Names only: services of profiles that are not active are no orphans.
    for (const auto& name : strings(body, "disabled_services"))
      project.disabled_services[name] = {};
    if (verb == "run") {
      const auto service = project.services.find(request.service);
      if (service == project.services.end())
        return Error::not_found("no such service: " + request.service);
      TRY(apply_run_options(*request.options, &service->second));
    }
    request.project = std::make_shared<const compose::Project>(std::move(project));
  }
  static const std::set<std::string> kNeedProject = {"up", "build", "pull", "run"};
  if (kNeedProject.count(verb) != 0 && request.project == nullptr)
    return Error::invalid("\"project\" is missing");
  return request;
}

}  // namespace stack::engine
