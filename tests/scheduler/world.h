// Small projects and worlds for the scheduler's tests.
#pragma once

#include <string>

#include "scheduler/engine.h"
#include "scheduler/reconcile.h"
#include "tests/fakes/fake_engine.h"

namespace stack::testing {

// A project "demo" with these services, each on the default network, with an image that is present
// in world().
compose::Project project_of(const std::vector<std::string>& services);
compose::Service& service(compose::Project& project, const std::string& name);
void depends(compose::Project& project, const std::string& name, const std::string& on,
             const std::string& condition = "service_started", bool restart = false,
             bool required = true);

compose::MountConfig volume_mount(const std::string& source,
                                  const std::string& target);  // no source: anonymous
compose::Hook hook_of(const std::string& command);

// The images of the project, and nothing else.
scheduler::Observed empty_world(const compose::Project& project);
// What `up` makes of the project.
scheduler::Observed world_after_up(const compose::Project& project,
                                   const scheduler::UpOptions& options = {});

std::string up_text(const compose::Project& project, const scheduler::Observed& observed,
                    const scheduler::UpOptions& options = {});
std::string text_of(const Result<scheduler::Plan>& plan);
scheduler::ProjectPtr share(const compose::Project& project);

// Runs timers until `over` or nothing is left; returns whether it became true.
bool run_until(FakeTimers& timers, const std::function<bool()>& over,
               Duration limit = std::chrono::hours(1));

}  // namespace stack::testing
