// Rolling updates (deploy.update_config): the replicas of a changed service are replaced a few at a
// time in the start phase, each watched before the next go.
//
//   start-first   start the new one beside the old, unseen; ready: it takes over names and ports at
//   once; watched
//                 for `monitor` while connections of the old one go on; then the old one is
//                 drained, stopped, removed
//   stop-first    stop and remove the old one, start the new one; ready; watched for `monitor`
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "scheduler/labels.h"
#include "scheduler/plan_verbs.h"
#include "scheduler/up_planner.h"

namespace stack::scheduler {

namespace {

using std::chrono::seconds;

constexpr Duration kMonitor = seconds(5);
constexpr int kGracePeriod = 10;  // seconds, Docker's default

// What has one owner at a time cannot be in two containers.
std::optional<std::string> why_not_beside(const compose::Service& service) {
  if (service.network_mode == "host" && !service.ports.empty()) return "it binds ports of the host";
  for (const auto& [key, options] : service.networks) {
    if (options && (!options->ipv4_address.empty() || !options->ipv6_address.empty()))
      return "it has a fixed address";
    if (options && !options->mac_address.empty()) return "it has a fixed MAC address";
  }
  return std::nullopt;
}

}  // namespace

const compose::UpdateConfig* UpPlanner::update_config(const compose::Service& service) const {
  if (!service.deploy || options_.only_missing || options_.no_start) return nullptr;
  const auto& own = service.deploy->update_config;
  const auto& back = service.deploy->rollback_config;
  if (options_.rollback && back) return &*back;
  return own ? &*own : nullptr;
}

bool UpPlanner::starts_first(const compose::Service& service) {
  const compose::UpdateConfig* config = update_config(service);
  if (config == nullptr || config->order != "start-first") return false;
  const auto reason = why_not_beside(service);
  if (!reason) return true;
  if (start_first_refused_.insert(service.name).second) {
    builder_.plan().warnings.push_back(fmt::format(
        "service \"{}\" is updated stop-first: {}, so that the new container cannot run "
        "beside the old one",
        service.name, *reason));
  }
  return false;
}

// Ready: healthy, or running for a moment when nothing says what healthy is.
int UpPlanner::await_replica(const compose::Service& service, const ContainerRef& ref,
                             Duration monitor, int allowed, std::string cause, int after) {
  return builder_.add(AwaitReplica{ref, service.name, monitor, allowed}, std::move(cause), {after});
}

int UpPlanner::start_with_hooks(const compose::Service& service, const ContainerRef& ref,
                                bool standby, const std::string& cause, std::vector<int> after) {
  int last = builder_.add(StartContainer{ref, standby}, cause, std::move(after),
                          container_words(ref.name, "Starting", "Started"));
  for (const compose::Hook& hook : service.post_start) {
    last = builder_.add(RunHook{ref, RunHook::When::kPostStart, hook}, "it has started", {last});
  }
  return last;
}

// The end of a predecessor whose successor has taken over.
int UpPlanner::retire(const compose::Service& service, const ContainerRef& old,
                      std::vector<int> after) {
  const int grace =
      options_.timeout ? *options_.timeout
      : service.stop_grace_period
          ? static_cast<int>(
                std::chrono::duration_cast<seconds>(*service.stop_grace_period).count())
          : kGracePeriod;
  const int drained =
      builder_.add(DrainContainer{old, grace}, "its successor has taken over", std::move(after));
  std::vector<int> hooks;  // a failing one does not keep its container from being stopped
  for (const compose::Hook& hook : service.pre_stop) {
    hooks = {builder_.add(RunHook{old, RunHook::When::kPreStop, hook}, "it is about to be stopped",
                          {drained}, {}, hooks)};
  }
  const int stopped =
      builder_.add(StopContainer{old, options_.timeout}, "it is replaced", {drained}, {}, hooks);
  return builder_.add(RemoveContainer{old, false}, "it is replaced", {stopped});
}

// Returns the step after which the new replica serves; `over` gets the one after which all is done.
int UpPlanner::update_replica(const compose::Service& service, const Replica& replica, bool first,
                              Duration monitor, int allowed, std::vector<int> after, int* over) {
  const std::string name = container_name(project_, service, replica.ref.number);
  const ContainerRef old = ref_of(*replica.predecessor);
  const StepWords renamed = container_words(name, "", "Recreated");
  int ready = 0;
  if (first) {
    int last = replica.start
                   ? start_with_hooks(service, replica.ref, true, "it is new", std::move(after))
                   : builder_.join(std::move(after), name + " may be updated");
    last = await_replica(service, replica.ref, {}, allowed, "it must be ready to take over", last);
    ready = builder_.add(TakeOver{replica.ref, old}, "it is ready", {last});
    last = await_replica(service, replica.ref, monitor, allowed, "it is watched after the update",
                         ready);
    last = retire(service, old, {last});
    // The old one gets its place back when the new one failed: it never lost its name.
    *over = last;
    if (replica.ref.name != name) {
      *over = builder_.add(RenameContainer{replica.ref, name}, "the old container is gone", {last},
                           renamed);
    }
    return ready;
  }
  int last = 0;
  if (is_active(*replica.predecessor) && !stopped_ids_.contains(old.id)) {
    last = builder_.add(StopContainer{old, options_.timeout}, "it is replaced", std::move(after));
    after = {};
  }
  after.push_back(last);
  last = builder_.add(RemoveContainer{old, false}, "it is replaced", std::move(after));
  ContainerRef ref = replica.ref;
  last = builder_.add(RenameContainer{ref, name}, "the old container is gone", {last}, renamed);
  ref.name = name;
  last = start_with_hooks(service, ref, false, "it is new", {last});
  ready = await_replica(service, ref, {}, allowed, "it must be ready before the next", last);
  *over = await_replica(service, ref, monitor, allowed, "it is watched after the update", ready);
  return ready;
}

// The step after which the service runs as declared.
int UpPlanner::plan_update(const compose::Service& service, ServiceState& state,
                           std::vector<int> after) {
  std::vector<Replica*> updated;
  for (Replica& replica : state.replicas) {
    if (replica.predecessor != nullptr) updated.push_back(&replica);
  }
  if (updated.empty()) return 0;
  const compose::UpdateConfig none;
  const compose::UpdateConfig* config = update_config(service);
  if (config == nullptr) config = &none;  // the rest of an update that was cut short
  const bool first =
      std::any_of(updated.begin(), updated.end(), [](const Replica* r) { return r->beside; });
  const std::size_t at_once =
      config->parallelism.value_or(1) == 0 ? updated.size() : config->parallelism.value_or(1);
  const Duration monitor = config->monitor > Duration{} ? config->monitor : kMonitor;
  const bool go_on = config->failure_action == "continue";
  const int allowed =
      go_on ? std::numeric_limits<int>::max()
            : static_cast<int>(config->max_failure_ratio * static_cast<float>(updated.size()));
  if (config->failure_action == "rollback") builder_.plan().rolls_back.insert(service.name);

  std::vector<int> serving;
  for (std::size_t begin = 0; begin < updated.size(); begin += at_once) {
    std::vector<int> over;
    const std::size_t end = std::min(updated.size(), begin + at_once);
    for (std::size_t i = begin; i < end; ++i) {
      int last = 0;
      serving.push_back(
          update_replica(service, *updated[i], first, monitor, allowed, after, &last));
      over.push_back(last);
    }
    if (end == updated.size()) break;
    int gate = builder_.add(UpdateGate{service.name, allowed}, "", {}, {}, over);
    if (config->delay > Duration{})
      gate = builder_.add(Pause{config->delay}, "update_config.delay", {gate});
    after = {gate};
  }
  return builder_.join(serving, service.name + " updated");
}

// Dependents that asked for it restart once the new replicas serve.
void UpPlanner::restart_dependents_after(const std::string& name, int serving) {
  for (const std::string& dependent : graph_.dependents.at(name)) {
    const auto found = services_.find(dependent);
    if (found == services_.end()) continue;
    const auto& edges = graph_.dependencies.at(dependent);
    const bool asked = std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) {
      return edge.service == name && edge.restart;
    });
    if (!asked) continue;
    for (Replica& replica : found->second.replicas) {
      if (replica.observed == nullptr || replica.start || replica.predecessor != nullptr ||
          !runs(*replica.observed) || !stopped_ids_.insert(replica.observed->id).second)
        continue;
      found->second.stopped.push_back(
          builder_.add(StopContainer{replica.ref, options_.timeout},
                       fmt::format("{} was updated and {} restarts with it", name, dependent),
                       {serving}, container_words(replica.ref.name, "Stopping", "Stopped")));
      replica.start = true;
    }
  }
}

}  // namespace stack::scheduler
