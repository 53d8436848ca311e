// Projects: what the API's /stack/ endpoints ask for, done by the scheduler over this engine
// (engine/local_engine.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/revisions.h"
#include "scheduler/why.h"

namespace stack::engine {

struct Container;
struct Services;

struct ProjectListing {
  std::string name, status, config_files;  // status: "running(3)", "exited(1), running(2)"
};

class Projects {
 public:
  explicit Projects(Services& services);
  ~Projects();
  void adopt();  // projects declared before the engine stopped are kept up again
  // The machine has come up: starts what these containers (of Containers::adopt) are the replicas
  // of, in the order of their projects, and tries again until that has worked.
  void boot(const std::vector<std::string>& containers);

  // One run of a verb ("up", "down", "start", ...). `body` is the request's JSON, see docs/api.md.
  // `line` is called with each JSON line of the answer (without newline), `finished` once after the
  // last. Destroying the Run cancels it: steps under way end, none is begun. kInvalid when the
  // request cannot be understood. Runs of one project take turns: scheduler/supervisor.h.
  class Run {
   public:
    virtual ~Run() = default;
  };
  Result<std::unique_ptr<Run>> run(const std::string& project, const std::string& verb,
                                   std::string_view body, std::function<void(std::string)> line,
                                   std::function<void()> finished);
  std::vector<ProjectListing> list(bool all) const;
  Result<std::vector<RevisionSummary>> revisions(const std::string& project) const;
  // The causal chain behind the state of a service: `done` gets lines with their depth (0: finding,
  // deeper: cause).
  void why(const std::string& project, const std::string& service,
           std::function<void(Result<std::vector<scheduler::Because>>)> done);
  // A container is about to be removed by itself, not by a command on its project: it is not to be
  // made anew.
  void forget(const Container& container);
  bool busy() const;  // a run is under way

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack::engine
