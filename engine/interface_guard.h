// Notices when somebody takes away the host's end of a running container's interface (and with it
// the container's), and has it made again.
#pragma once

#include "base/event_loop.h"
#include "base/fd.h"
#include "engine/daemon.h"

namespace stack::engine {

class InterfaceGuard {
 public:
  explicit InterfaceGuard(Services& services);

 private:
  void take_events();

  Services& services_;
  Fd events_;
  EventLoop::Watch watch_;
};

}  // namespace stack::engine
