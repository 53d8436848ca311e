// The last check before anything is changed: host ports that somebody else holds.
#include <algorithm>

#include "engine/containers.h"
#include "engine/local_engine.h"
#include "netd/ports.h"
#include "scheduler/labels.h"

namespace stack::engine {

using scheduler::kProjectLabel;
using scheduler::kServiceLabel;
using scheduler::label_of;

// Fixed ports of what is about to start, against our own containers first (they can be named), then
// the host's processes.
void LocalEngine::preflight(const scheduler::ProjectPtr& project, const scheduler::Preflight& what,
                            Done<Unit> done) {
  const auto wildcard = [](const std::string& ip) {
    return ip.empty() || ip == "0.0.0.0" || ip == "::";
  };
  for (const auto& name : what.starting_services) {
    const auto it = project->services.find(name);
    if (it == project->services.end()) continue;
    for (const auto& port : it->second.ports) {
      if (port.published.empty() || port.published == "0" ||
          port.published.find('-') != std::string::npos)
        continue;
      const int number = std::atoi(port.published.c_str());
      const std::string address =
          (port.host_ip.empty() ? "0.0.0.0" : port.host_ip) + ":" + port.published;
      const std::string text = "port " + address + "/" + port.protocol + " of service \"" + name +
                               "\" is already in use by ";
      bool ours = false;
      for (const Container* c : services_.containers->list()) {
        for (const auto& taken : c->ports) {
          if (taken.host_port != number || taken.protocol != port.protocol) continue;
          if (!wildcard(taken.host_ip) && !wildcard(port.host_ip) && taken.host_ip != port.host_ip)
            continue;
          const auto& labels = c->config.labels;
          ours = true;
          // Its own replicas keep what they have, and what is stopped first gives it back.
          if (label_of(labels, kProjectLabel) == project->name &&
              label_of(labels, kServiceLabel) == name)
            continue;
          if (std::find(what.stopping_ids.begin(), what.stopping_ids.end(), c->id) !=
              what.stopping_ids.end())
            continue;
          const std::string holder = labels.count(kProjectLabel) != 0
                                         ? "service \"" + label_of(labels, kServiceLabel) +
                                               "\" of project \"" +
                                               label_of(labels, kProjectLabel) + "\""
                                         : "container \"" + c->name + "\"";
          Error error = Error::conflict(text + holder);
          error.where = port.where;
          if (error.where->file.empty()) error.where.reset();
          return done(std::move(error).fix("Stop it (stack -p " + label_of(labels, kProjectLabel) +
                                           " stop), or publish another port in the Compose file."));
        }
      }
      if (ours) continue;
      auto holder = netd::find_port_holder(port.host_ip, number, port.protocol);
      if (!holder.ok() || !holder->has_value()) continue;
      Error error = Error::conflict(text + ((*holder)->pid > 0
                                                ? "process " + std::to_string((*holder)->pid) +
                                                      " (" + (*holder)->command + ")"
                                                : std::string("another program of this machine")));
      error.where = port.where;
      if (error.where->file.empty()) error.where.reset();
      return done(
          std::move(error).fix("Stop that program, or publish another port in the Compose file."));
    }
  }
  done(Unit{});
}

}  // namespace stack::engine
