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
  // Why a container is replaced.
  struct Divergence {
    std::string cause;
    std::vector<Change> changes = {};
  };
  struct Replica {
    ContainerRef ref;
    const ObservedContainer* observed = nullptr;  // null: created by this plan
    bool start = false;
    bool unpause = false;
    const ObservedContainer* predecessor = nullptr;  // replaced in the start phase: up_update.cc
    bool beside = false;                             // while the predecessor still runs
  };
  struct ServiceState {
    std::vector<Replica> replicas;  // as they are after the create phase, by number
    std::vector<int> stopped = {};  // steps after which its containers may be started again
    int created = 0;                // step after which they exist
    int started = 0;                // step after which they run; 0: nothing to start
    bool replaced = false;  // a container was created or replaced: what joins it must be, too
  };

  Status begin();
  Result<int> scale_of(const compose::Service& service) const;
  // Stops with pre_stop hooks, then removes; the last step.
  int stop_and_remove(const compose::Service& service, const ObservedContainer& container,
                      const std::string& cause);
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
                        const ObservedContainer* old, const Divergence& cause, int after_leftovers);
  void keep_replica(const compose::Service& service, ServiceState& state,
                    const ObservedContainer& container, int after_leftovers);
  std::optional<Divergence> divergence(const compose::Service& service,
                                       const ObservedContainer& container,
                                       const std::string& hash) const;
  std::optional<Divergence> forced(const compose::Service& service) const;
  Divergence changed_definition(const compose::Service& service,
                                const ObservedContainer& container) const;
  std::optional<std::string> detached(const compose::Service& service,
                                      const ObservedContainer& container) const;
  bool stays_done(const compose::Service& service, const ObservedContainer& container) const;
  std::vector<int> before_creating(const std::string& name) const;
  int stop_restarting_dependents(const std::string& name);
  // The id of the image that the service should run, if it is known.
  std::optional<std::string> image_id_of(const compose::Service& service) const;
  Status require_image(const compose::Service& service) const;
  bool runs(const ObservedContainer& container) const;
  CreateContainer creation(const compose::Service& service, int number) const;

  // up_update.cc
  const compose::UpdateConfig* update_config(const compose::Service& service) const;
  bool starts_first(const compose::Service& service);
  int plan_update(const compose::Service& service, ServiceState& state, std::vector<int> after);
  int update_replica(const compose::Service& service, const Replica& replica, bool first,
                     Duration monitor, int allowed, std::vector<int> after, int* over);
  int start_with_hooks(const compose::Service& service, const ContainerRef& ref, bool standby,
                       const std::string& cause, std::vector<int> after);
  int await_replica(const compose::Service& service, const ContainerRef& ref, Duration monitor,
                    int allowed, std::string cause, int after);
  int retire(const compose::Service& service, const ContainerRef& old, std::vector<int> after);
  void restart_dependents_after(const std::string& name, int serving);

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
  std::set<std::string> start_first_refused_;
  std::map<std::string, int>
      dependents_stopped_;  // service -> step after which its dependents are stopped
  std::map<std::tuple<std::string, AwaitCondition::Condition, bool>, int> awaits_;
  int barrier_ = 0;  // everything exists
  PlanBuilder builder_;
};

}  // namespace stack::scheduler
