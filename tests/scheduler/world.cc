#include "tests/scheduler/world.h"

#include <gtest/gtest.h>

#include "scheduler/labels.h"
#include "scheduler/run.h"

namespace stack::testing {

using namespace scheduler;  // NOLINT(google-build-using-namespace)

compose::Service& service(compose::Project& project, const std::string& name) {
  compose::Service& s = project.services[name];
  if (s.name.empty()) {
    s.name = name;
    s.image = "busybox";
    s.networks["default"] = std::nullopt;
  }
  return s;
}

compose::Project project_of(const std::vector<std::string>& services) {
  compose::Project project;
  project.name = "demo";
  project.networks["default"].name = "demo_default";
  for (const std::string& name : services) service(project, name);
  return project;
}

void depends(compose::Project& project, const std::string& name, const std::string& on,
             const std::string& condition, bool restart, bool required) {
  service(project, name).depends_on[on] = {condition, restart, required, {}};
}

compose::MountConfig volume_mount(const std::string& source, const std::string& target) {
  compose::MountConfig mount;
  mount.type = "volume";
  mount.source = source;
  mount.target = target;
  return mount;
}

compose::Hook hook_of(const std::string& command) {
  compose::Hook hook;
  hook.command = {command};
  return hook;
}

Observed empty_world(const compose::Project& project) {
  Observed observed;
  for (const auto& [name, s] : project.services) {
    observed.image_ids[image_reference(project, s)] = "sha256:" + image_reference(project, s);
  }
  return observed;
}

ProjectPtr share(const compose::Project& project) {
  return std::make_shared<const compose::Project>(project);
}

bool run_until(FakeTimers& timers, const std::function<bool()>& over, Duration limit) {
  const TimePoint end = timers.now() + limit;
  while (!over()) {
    if (!timers.step(end)) return over();
  }
  return true;
}

Observed world_after_up(const compose::Project& project, const UpOptions& options) {
  FakeTimers timers;
  FakeEngine engine(timers);
  engine.world = empty_world(project);
  for (const auto& [name, s] : project.services) {
    engine.behaviour[name].has_healthcheck = s.healthcheck.has_value();
  }
  std::optional<Result<RunResult>> result;
  start_up({engine, timers}, share(project), options, {},
           [&](Result<RunResult> r) { result = std::move(r); });
  EXPECT_TRUE(run_until(timers, [&] { return result.has_value(); }));
  EXPECT_TRUE(result && result->ok())
      << (result && !result->ok() ? result->error().to_string() : "");
  return engine.world;
}

std::string text_of(const Result<Plan>& plan) {
  return plan.ok() ? to_text(*plan) : "error: " + plan.error().to_string() + "\n";
}

std::string up_text(const compose::Project& project, const Observed& observed,
                    const UpOptions& options) {
  return text_of(plan_up(project, observed, options, true));
}

}  // namespace stack::testing
