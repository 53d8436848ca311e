#include "engine/plan_json.h"

#include <nlohmann/json.hpp>

namespace stack::engine {

namespace {

using nlohmann::json;

// "create", "replace", ...: what a person or a program sorts steps by.
struct Action {
  std::string operator()(const scheduler::EnsureImage& o) const {
    return o.build == scheduler::EnsureImage::Build::kYes && !o.pull ? "build" : "pull";
  }
  std::string operator()(const scheduler::RemoveImage&) const { return "remove"; }
  std::string operator()(const scheduler::CreateNetwork&) const { return "create"; }
  std::string operator()(const scheduler::RemoveNetwork&) const { return "remove"; }
  std::string operator()(const scheduler::ConnectNetwork&) const { return "connect"; }
  std::string operator()(const scheduler::DisconnectNetwork&) const { return "disconnect"; }
  std::string operator()(const scheduler::CreateVolume&) const { return "create"; }
  std::string operator()(const scheduler::RemoveVolume&) const { return "remove"; }
  std::string operator()(const scheduler::CreateContainer& o) const {
    return o.replaces.id.empty() ? "create" : "replace";
  }
  std::string operator()(const scheduler::RenameContainer&) const { return "rename"; }
  std::string operator()(const scheduler::StartContainer&) const { return "start"; }
  std::string operator()(const scheduler::StopContainer&) const { return "stop"; }
  std::string operator()(const scheduler::KillContainer&) const { return "kill"; }
  std::string operator()(const scheduler::PauseContainer&) const { return "pause"; }
  std::string operator()(const scheduler::UnpauseContainer&) const { return "unpause"; }
  std::string operator()(const scheduler::RemoveContainer&) const { return "remove"; }
  std::string operator()(const scheduler::RunHook&) const { return "hook"; }
  std::string operator()(const scheduler::TakeOver&) const { return "take-over"; }
  std::string operator()(const scheduler::DrainContainer&) const { return "drain"; }
  std::string operator()(const scheduler::Milestone&) const { return "milestone"; }
  template <typename Waiting>
  std::string operator()(const Waiting&) const {
    return "await";
  }
};

json object_of(const scheduler::Operation& op) {
  if (const auto* create = std::get_if<scheduler::CreateContainer>(&op)) {
    const bool replaces = !create->replaces.id.empty();
    json out{{"kind", "container"},
             {"name", replaces ? create->replaces.name : create->name},
             {"service", create->service}};
    if (replaces) out["id"] = create->replaces.id;
    return out;
  }
  if (const auto* ref = scheduler::container_of(op)) {
    json out{{"kind", "container"}, {"name", ref->name}, {"service", ref->service}};
    if (!ref->id.empty()) out["id"] = ref->id;
    return out;
  }
  if (const auto* image = std::get_if<scheduler::EnsureImage>(&op))
    return {{"kind", "image"}, {"name", image->reference}, {"service", image->service}};
  if (const auto* image = std::get_if<scheduler::RemoveImage>(&op))
    return {{"kind", "image"}, {"name", image->reference}};
  if (const auto* network = std::get_if<scheduler::CreateNetwork>(&op))
    return {{"kind", "network"}, {"name", network->name}};
  if (const auto* network = std::get_if<scheduler::RemoveNetwork>(&op))
    return {{"kind", "network"}, {"name", network->name}};
  if (const auto* volume = std::get_if<scheduler::CreateVolume>(&op))
    return {{"kind", "volume"}, {"name", volume->name}};
  if (const auto* volume = std::get_if<scheduler::RemoveVolume>(&op))
    return {{"kind", "volume"}, {"name", volume->name}};
  if (const auto* await = std::get_if<scheduler::AwaitCondition>(&op))
    return {{"kind", "service"}, {"name", await->service}};
  return nullptr;
}

json step_json(const scheduler::Step& step) {
  json out{{"id", step.id},
           {"action", std::visit(Action{}, step.op)},
           {"what", scheduler::to_string(step.op)},
           {"changes", !scheduler::is_waiting(step.op)},
           {"cause", step.cause}};
  if (json object = object_of(step.op); !object.is_null()) out["object"] = std::move(object);
  for (const auto& change : step.changes) {
    json one{{"path", change.path}};
    if (!change.before.empty()) one["old"] = change.before;
    if (!change.after.empty()) one["new"] = change.after;
    out["attributes"].push_back(std::move(one));
  }
  std::vector<int> after = step.after;
  after.insert(after.end(), step.settled.begin(), step.settled.end());
  if (!after.empty()) out["after"] = after;
  return out;
}

}  // namespace

json to_json(const scheduler::Plan& plan, const std::string& fingerprint) {
  json out{{"fingerprint", fingerprint},
           {"changes", scheduler::count_changes(plan)},
           {"steps", json::array()}};
  for (const auto& step : plan.steps) out["steps"].push_back(step_json(step));
  if (!plan.warnings.empty()) out["warnings"] = plan.warnings;
  return out;
}

}  // namespace stack::engine
