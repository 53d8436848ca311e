#include "scheduler/plan.h"

#include <fmt/core.h>

#include <type_traits>

#include "compose/units.h"

namespace stack::scheduler {

namespace {

struct Printer {
  std::string operator()(const EnsureImage& o) const {
    const bool build = o.build == EnsureImage::Build::kYes;
    const char* how = !o.pull                                       ? "build"
                      : o.build == EnsureImage::Build::kIfPullFails ? "pull or build"
                      : build                                       ? "pull and build"
                                                                    : "pull";
    return fmt::format("{} image {} for {}", how, o.reference, o.service);
  }
  std::string operator()(const RemoveImage& o) const { return "remove image " + o.reference; }
  std::string operator()(const CreateNetwork& o) const { return "create network " + o.name; }
  std::string operator()(const RemoveNetwork& o) const { return "remove network " + o.name; }
  std::string operator()(const ConnectNetwork& o) const {
    return fmt::format("connect {} to network {}", o.container.name, o.name);
  }
  std::string operator()(const DisconnectNetwork& o) const {
    return fmt::format("disconnect {} from network {}", o.container.name, o.name);
  }
  std::string operator()(const CreateVolume& o) const { return "create volume " + o.name; }
  std::string operator()(const RemoveVolume& o) const { return "remove volume " + o.name; }
  std::string operator()(const CreateContainer& o) const {
    std::string text = "create container " + o.name;
    if (!o.replaces.id.empty()) text += " replacing " + o.replaces.name;
    if (o.inherit_anonymous_volumes) text += " keeping its anonymous volumes";
    return text;
  }
  std::string operator()(const RenameContainer& o) const {
    return fmt::format("rename container {} to {}", o.container.name, o.to);
  }
  std::string operator()(const TakeOver& o) const {
    if (o.from.id.empty()) return fmt::format("publish container {}", o.container.name);
    return fmt::format("hand {} over to container {}", o.from.name, o.container.name);
  }
  std::string operator()(const DrainContainer& o) const {
    return fmt::format("drain container {} for at most {}s", o.container.name, o.seconds);
  }
  std::string operator()(const AwaitReplica& o) const {
    if (o.monitor <= Duration{}) return fmt::format("await container {} ready", o.container.name);
    return fmt::format("watch container {} for {}", o.container.name,
                       compose::duration_text(o.monitor));
  }
  std::string operator()(const UpdateGate& o) const {
    return fmt::format("go on updating {}", o.service);
  }
  std::string operator()(const Pause& o) const { return "pause " + compose::duration_text(o.time); }
  std::string operator()(const StartContainer& o) const {
    return "start container " + o.container.name + (o.standby ? " on standby" : "");
  }
  std::string operator()(const StopContainer& o) const {
    std::string text = "stop container " + o.container.name;
    if (o.timeout) text += fmt::format(" within {}s", *o.timeout);
    return text;
  }
  std::string operator()(const KillContainer& o) const {
    return fmt::format("kill container {} with {}", o.container.name, o.signal);
  }
  std::string operator()(const PauseContainer& o) const {
    return "pause container " + o.container.name;
  }
  std::string operator()(const UnpauseContainer& o) const {
    return "unpause container " + o.container.name;
  }
  std::string operator()(const RemoveContainer& o) const {
    return "remove container " + o.container.name + (o.volumes ? " and its anonymous volumes" : "");
  }
  std::string operator()(const RunHook& o) const {
    return fmt::format("run {} hook in {}",
                       o.when == RunHook::When::kPostStart ? "post_start" : "pre_stop",
                       o.container.name);
  }
  std::string operator()(const AwaitCondition& o) const {
    return fmt::format("await {} {}{}", o.service, to_string(o.condition),
                       o.required ? "" : " if it can");
  }
  std::string operator()(const Milestone& o) const { return "milestone " + o.what; }
};

std::string id_list(const std::vector<int>& ids) {
  std::string text;
  for (const int id : ids) text += fmt::format("{}#{}", text.empty() ? "" : ",", id);
  return text;
}

}  // namespace

std::string_view to_string(AwaitCondition::Condition condition) {
  switch (condition) {
    case AwaitCondition::Condition::kStarted:
      return "service_started";
    case AwaitCondition::Condition::kHealthy:
      return "service_healthy";
    case AwaitCondition::Condition::kCompleted:
      return "service_completed_successfully";
    case AwaitCondition::Condition::kRunningOrHealthy:
      return "running_or_healthy";
  }
  return "";
}

bool is_waiting(const Operation& op) {
  return std::holds_alternative<AwaitCondition>(op) || std::holds_alternative<Milestone>(op) ||
         std::holds_alternative<AwaitReplica>(op) || std::holds_alternative<UpdateGate>(op) ||
         std::holds_alternative<Pause>(op);
}

std::string to_string(const Operation& op) { return std::visit(Printer{}, op); }

std::string to_string(const Step& step) {
  std::string text = fmt::format("#{} {}", step.id, to_string(step.op));
  if (!step.cause.empty()) text += " because " + step.cause;
  if (!step.after.empty()) text += " after " + id_list(step.after);
  if (!step.settled.empty()) text += " once over " + id_list(step.settled);
  return text;
}

int count_changes(const Plan& plan) {
  int changes = 0;
  for (const Step& step : plan.steps) changes += is_waiting(step.op) ? 0 : 1;
  return changes;
}

std::string to_text(const Plan& plan) {
  std::string text;
  for (const std::string& warning : plan.warnings) text += "! " + warning + "\n";
  for (const Step& step : plan.steps) text += to_string(step) + "\n";
  return text;
}

ContainerRef* container_of(Operation& op) {
  return std::visit(
      [](auto& o) -> ContainerRef* {
        if constexpr (requires { o.container; }) return &o.container;
        return nullptr;
      },
      op);
}

const ContainerRef* container_of(const Operation& op) {
  return container_of(const_cast<Operation&>(op));
}

}  // namespace stack::scheduler
