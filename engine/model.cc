#include "engine/model.h"

namespace stack::engine {

const char* to_string(RunState state) {
  switch (state) {
    case RunState::kCreated:
      return "created";
    case RunState::kRunning:
      return "running";
    case RunState::kPaused:
      return "paused";
    case RunState::kRestarting:
      return "restarting";
    case RunState::kRemoving:
      return "removing";
    case RunState::kExited:
      return "exited";
    case RunState::kDead:
      break;
  }
  return "dead";
}

const char* to_string(Health health) {
  switch (health) {
    case Health::kNone:
      return "none";
    case Health::kStarting:
      return "starting";
    case Health::kHealthy:
      return "healthy";
    case Health::kUnhealthy:
      break;
  }
  return "unhealthy";
}

}  // namespace stack::engine
