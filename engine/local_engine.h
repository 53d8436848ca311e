// The scheduler's Engine over the parts of this process: what it observes and how one operation is
// performed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/daemon.h"
#include "engine/events.h"
#include "engine/model.h"
#include "scheduler/engine.h"

namespace stack::engine {

class Revisions;

class LocalEngine final : public scheduler::Engine {
 public:
  LocalEngine(Services& services, const Revisions& revisions)
      : services_(services), revisions_(revisions) {}

  void observe(const scheduler::ObserveRequest& request, Done<scheduler::Observed> done) override;
  void perform(const scheduler::ProjectPtr& project, const scheduler::Operation& op,
               const scheduler::ProgressSink& progress, std::stop_token cancel,
               Done<scheduler::OperationResult> done) override;
  scheduler::Subscription watch(const std::string& project,
                                std::function<void()> look_again) override;
  void preflight(const scheduler::ProjectPtr& project, const scheduler::Preflight& what,
                 Done<Unit> done) override;

 private:
  Services& services_;
  const Revisions& revisions_;
};

scheduler::ObservedContainer observed_container(const Container& container);

}  // namespace stack::engine
