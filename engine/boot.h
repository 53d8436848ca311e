// After a boot of the machine: which containers come back, in their projects' order. `stack enable`
// and `stack disable` are remembered here.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/event_loop.h"
#include "compose/project.h"

namespace stack::scheduler {
class Supervisor;
}

namespace stack::engine {

struct Paths;
struct Services;
class StateStore;

// True for the first start of the engine since the machine came up: the runtime directory, which
// does not survive a boot, has no mark of this boot yet. mark_boot() makes it.
bool first_start_since_boot(const std::filesystem::path& run_dir);
Status mark_boot(const std::filesystem::path& run_dir);

// `stack enable|disable NAME`. A project is enabled when the machine is to bring it up by itself:
// ROOT/enabled/NAME exists, which is what the systemd unit looks for. A disabled one stays down
// after a boot, whatever its restart policies say.
Status enable_project(const Paths& paths, StateStore& state, const std::string& name);
Status disable_project(const Paths& paths, StateStore& state, const std::string& name);
std::set<std::string> disabled_projects(const StateStore& state);

// The services to start so that `wanted` run: they and what they depend on, but for jobs that are
// done. Pure.
std::set<std::string> services_to_start(const compose::Project& project,
                                        const std::set<std::string>& wanted,
                                        const std::set<std::string>& done);

// Starts the projects that come back, each in its order, and tries again until that has worked.
class ProjectBoot {
 public:
  ProjectBoot(Services& services, scheduler::Supervisor& supervisor)
      : services_(services), supervisor_(supervisor) {}
  // The replicas that come back: Containers::adopt().
  void begin(const std::vector<std::string>& containers);
  bool busy() const { return under_way_ > 0; }

 private:
  void start(const std::string& project, const std::set<std::string>& wanted, Duration retry);

  Services& services_;
  scheduler::Supervisor& supervisor_;
  int under_way_ = 0;
  std::map<std::string, EventLoop::Timer> retries_;  // by project
};

}  // namespace stack::engine
