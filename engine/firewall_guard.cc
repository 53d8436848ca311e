#include "engine/firewall_guard.h"

#include <algorithm>

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

// Somebody's transaction is over in milliseconds, and a reload is many of them: look once they have
// settled.
void FirewallGuard::changed() {
  if (restoring_) return;
  settle_ = services_.loop.after(std::chrono::milliseconds(200), [this] {
    auto state = wanted();
    if (state.networks.empty()) return;
    services_.pool.run([state = std::move(state)] { return netd::firewall_intact(state); },
                       [this](Result<bool> intact) {
                         if (intact.ok() && !*intact) restore();
                       });
  });
}

namespace {
Status make_whole(const netd::FirewallState& state) {
  for (const auto& network : state.networks) TRY(netd::ensure_network(network));
  return netd::restore_firewall(state);
}
}  // namespace

netd::FirewallState FirewallGuard::wanted() const {
  netd::FirewallState state;
  state.networks = services_.networks->live_specs();
  if (!state.networks.empty()) {
    state.published = services_.containers->published();
    state.senders = services_.containers->senders();
  }
  return state;
}

void FirewallGuard::restore_now() {
  const auto state = wanted();
  if (state.networks.empty()) return;
  const Status restored = make_whole(state);
  if (!restored.ok()) log_error("restoring the firewall: {}", restored.error().to_string());
}

void FirewallGuard::restore() {
  auto state = wanted();
  if (state.networks.empty()) return;
  restoring_ = true;
  services_.pool.run([state] { return make_whole(state); },
                     [this, state](Status restored) {
                       restoring_ = false;
                       if (!restored.ok())
                         log_error("restoring the firewall: {}", restored.error().to_string());
                       const auto now = wanted();
                       // A network that is going or gone may have been made again by us.
                       for (const auto& network : state.networks) {
                         const auto& live = now.networks;
                         if (std::find(live.begin(), live.end(), network) == live.end())
                           services_.networks->withdraw(network);
                       }
                       // What came or went meanwhile met the table we replaced.
                       if (restored.ok() && now != state) restore();
                     });
}

}  // namespace stack::engine
