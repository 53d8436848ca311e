// The making of the plan of `up` and `run`, phase after phase on one object: resources, create,
// start. Internal to reconcile; its parts are in up_resources.cc, up_create.cc and up_start.cc.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "compose/project.h"
#include "scheduler/graph.h"
#include "scheduler/inventory.h"
#include "scheduler/observed.h"
#include "scheduler/options.h"
#include "scheduler/plan_builder.h"

namespace stack::scheduler {

class UpPlanner {
 public:
  UpPlanner(const compose::Project& project, const Observed& observed, const UpOptions& options,
            bool images_ready);

  Result<Plan> up();
  Result<Plan> run(const RunOptions& run);

 private:
  struct Replica {
    ContainerRef ref;
    const ObservedContainer* observed = nullptr;  // null: created by this plan
    bool start = false;
    bool unpause = false;
  };
  struct ServiceState {
    std::vector<Replica> replicas;  // as they are after the create phase, by number
    int created = 0;                // step after which they exist
    int started = 0;                // step after which they run; 0: nothing to start
    bool replaced = false;  // a container was created or replaced: what joins it must be, too
  };

  Status begin();
  Result<int> scale_of(const compose::Service& service) const;
  bool named(const std::string& service) const { return named_.contains(service); }

  // up_resources.cc
  Status plan_networks(const std::set<std::string>& services);
  Status plan_volumes(const std::set<std::string>& services);
  void replace_network(const std::string& key, const ObservedNetwork& network,
                       const std::string& hash);
  void replace_volume(const std::string& key, const ObservedVolume& volume,
                      const std::string& hash);
  void plan_orphans();

  // up_create.cc
  Status plan_create(const std::string& name);
  Status create_replica(const compose::Service& service, ServiceState& state, int number,
                        const ObservedContainer* old, const std::string& cause,
                        int after_leftovers);
  void keep_replica(const compose::Service& service, ServiceState& state,
                    const ObservedContainer& container, int after_leftovers);
  std::optional<std::string> divergence(const compose::Service& service,
                                        const ObservedContainer& container,
                                        const std::string& hash) const;
  std::vector<int> before_creating(const std::string& name) const;
  int stop_restarting_dependents(const std::string& name);
  Status require_image(const compose::Service& service) const;
  bool runs(const ObservedContainer& container) const;
  CreateContainer creation(const compose::Service& service, int number) const;

  // up_start.cc
  void plan_start(const std::string& name);
  void plan_other_starts();
  void plan_wait();
  std::vector<int> conditions(const std::string& name);
  int await(const std::string& service, AwaitCondition::Condition condition, bool required,
            std::string cause, bool final = false);

  const compose::Project& project_;
  const Observed& observed_;
  const UpOptions& options_;
  const bool images_ready_;

  Graph graph_;
  Inventory inventory_;
  std::set<std::string> named_;     // by the user; all when none is
  std::set<std::string> selected_;  // named_ and their dependencies
  std::map<std::string, ServiceState> services_;
  std::map<std::string, std::string> hashes_;
  std::vector<int> resources_;     // last network and volume steps
  std::vector<int> create_steps_;  // everything that belongs to the create phase
  std::set<std::string>
      stopped_ids_;  // ids of running containers that the plan stops to start them again
  std::set<std::string>
      removed_ids_;  // ids of containers that the plan removes before the create phase
  std::set<std::string> replaced_networks_;  // names
  std::map<std::string, int>
      dependents_stopped_;  // service -> step after which its dependents are stopped
  std::map<std::tuple<std::string, AwaitCondition::Condition, bool>, int> awaits_;
  int barrier_ = 0;  // everything exists
  PlanBuilder builder_;
};

}  // namespace stack::scheduler
