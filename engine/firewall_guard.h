// Keeps our firewall table whole: rebuilt when the engine starts, and again when somebody (nft
// flush ruleset, a firewall's reload, a Docker that came up later) took it away.
#pragma once

#include "base/event_loop.h"
#include "base/fd.h"
#include "engine/daemon.h"
#include "netd/network.h"

namespace stack::engine {

class FirewallGuard {
 public:
  explicit FirewallGuard(Services& services);
  // Bridges and rules of everything that should be there, before the first request is served.
  // Blocking.
  void restore_now();

 private:
  netd::FirewallState wanted() const;
  void restore();
  void changed();

  Services& services_;
  Fd events_;
  EventLoop::Watch watch_;
  EventLoop::Timer settle_;
  bool restoring_ = false;
};

}  // namespace stack::engine
