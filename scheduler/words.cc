#include "scheduler/observed.h"
#include "scheduler/progress.h"

namespace stack::scheduler {

std::string_view to_string(ContainerState state) {
  switch (state) {
    case ContainerState::kCreated:
      return "created";
    case ContainerState::kRunning:
      return "running";
    case ContainerState::kPaused:
      return "paused";
    case ContainerState::kRestarting:
      return "restarting";
    case ContainerState::kRemoving:
      return "removing";
    case ContainerState::kExited:
      return "exited";
    case ContainerState::kDead:
      return "dead";
  }
  return "";
}

std::string_view to_string(HealthStatus status) {
  switch (status) {
    case HealthStatus::kNone:
      return "none";
    case HealthStatus::kStarting:
      return "starting";
    case HealthStatus::kHealthy:
      return "healthy";
    case HealthStatus::kUnhealthy:
      return "unhealthy";
  }
  return "";
}

std::string_view to_string(ProgressKind kind) {
  switch (kind) {
    case ProgressKind::kWorking:
      return "working";
    case ProgressKind::kDone:
      return "done";
    case ProgressKind::kWarning:
      return "warning";
    case ProgressKind::kError:
      return "error";
  }
  return "";
}

}  // namespace stack::scheduler
