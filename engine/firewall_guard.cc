#include "engine/firewall_guard.h"

#include "base/log.h"
#include "engine/containers.h"
#include "engine/networks.h"
#include "netd/network.h"

namespace stack::engine {

FirewallGuard::FirewallGuard(Services& services) : services_(services) {
  auto events = netd::watch_firewall();
  if (!events.ok()) {
    log_warning("changes of the firewall are not noticed: {}", events.error().to_string());
    return;
  }
  events_ = std::move(events).value();
  watch_ = services_.loop.on_readable(events_.get(), [this] {
    if (netd::drain_firewall_events(events_.get())) changed();
  });
}

// Somebody's transaction is over in milliseconds, and a reload is many of them: look once they have settled.
void FirewallGuard::changed() {
  if (restoring_) return;
  settle_ = services_.loop.after(std::chrono::milliseconds(200), [this] {
    if (services_.networks->live_specs().empty()) return;
    services_.pool.run([] { return netd::firewall_intact(); }, [this](Result<bool> intact) {
      if (intact.ok() && !*intact) restore();
    });
  });
}

void FirewallGuard::restore() {
  netd::FirewallState state;
  state.networks = services_.networks->live_specs();
  if (state.networks.empty()) return;
  state.published = services_.containers->published();
  restoring_ = true;
  services_.pool.run(
      [state = std::move(state)]() -> Status {
        for (const auto& network : state.networks) TRY(netd::ensure_network(network));
        return netd::restore_firewall(state);
      },
      [this](Status restored) {
        restoring_ = false;
        if (!restored.ok()) log_error("restoring the firewall: {}", restored.error().to_string());
      });
}

}  // namespace stack::engine
