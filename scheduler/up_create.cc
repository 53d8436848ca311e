#include <fmt/core.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "compose/config_hash.h"
#include "scheduler/inputs.h"
#include "scheduler/labels.h"
#include "scheduler/plan_verbs.h"
#include "scheduler/up_planner.h"

namespace stack::scheduler {

namespace {

// One number and the containers that claim it. More than one do after a replacement that was cut
// short.
struct Claim {
  int number = 0;
  const ObservedContainer* keeper = nullptr;
  Containers leftovers;
  bool diverged = false;
  std::string cause;
  std::vector<Change> changes;
  int cleared = 0;  // step after which the leftovers are gone
};

// The one that a newcomer on standby was about to take over from, when a replacement was cut short.
const ObservedContainer* predecessor_of(const Claim& claim, bool rolling) {
  if (claim.keeper == nullptr || claim.diverged) return nullptr;
  const bool unstarted = rolling && claim.keeper->state == ContainerState::kCreated &&
                         claim.keeper->labels.contains(kReplaceLabel);
  if (!claim.keeper->standby && !unstarted) return nullptr;
  for (const ObservedContainer* c : claim.leftovers) {
    if (is_active(*c) && !c->standby) return c;
  }
  return nullptr;
}

}  // namespace

bool UpPlanner::runs(const ObservedContainer& c) const {
  return c.state == ContainerState::kRunning && !stopped_ids_.contains(c.id);
}

Status UpPlanner::require_image(const compose::Service& service) const {
  const std::string reference = image_reference(project_, service);
  if (!images_ready_ || image_id_of(service)) return ok_status();
  return Error::not_found("No such image: " + reference)
      .fix(service.build ? "Build it: `stack build " + service.name + "`, or leave out --no-build."
                         : "Pull, load or build it first, or allow pulling with `--pull missing`.");
}

std::vector<int> UpPlanner::before_creating(const std::string& name) const {
  std::vector<int> before;
  for (const Edge& edge : graph_.dependencies.at(name)) {
    const auto state = services_.find(edge.service);
    if (state != services_.end() && state->second.created != 0)
      before.push_back(state->second.created);
  }
  return before.empty() ? resources_ : before;
}

// Dependents that asked for it are stopped, last ones first, before what they depend on is
// replaced. The start phase starts them again.
int UpPlanner::stop_restarting_dependents(const std::string& name) {
  if (const auto known = dependents_stopped_.find(name); known != dependents_stopped_.end())
    return known->second;
  std::vector<int> last;
  std::map<std::string, int> stopped;
  for (auto it = graph_.order.rbegin(); it != graph_.order.rend(); ++it) {
    const std::string& dependent = *it;
    if (!selected_.contains(dependent)) continue;
    const auto& edges = graph_.dependencies.at(dependent);
    const bool asked = std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) {
      return edge.service == name && edge.restart;
    });
    if (!asked) continue;
    std::vector<int> users;
    for (const std::string& user : graph_.dependents.at(dependent)) {
      if (stopped.contains(user)) users.push_back(stopped.at(user));
    }
    std::vector<int> steps;
    for (const ObservedContainer* c : inventory_.of(dependent)) {
      if (!is_active(*c) || removed_ids_.contains(c->id) || !stopped_ids_.insert(c->id).second)
        continue;
      std::vector<int> after = resources_;
      after.insert(after.end(), users.begin(), users.end());
      steps.push_back(
          builder_.add(StopContainer{ref_of(*c), options_.timeout},
                       fmt::format("{} is replaced and {} restarts with it", name, dependent),
                       after, container_words(c->name, "Stopping", "Stopped")));
    }
    if (const int step = builder_.join(steps, dependent + " stopped"); step != 0) {
      stopped[dependent] = step;
      last.push_back(step);
    }
  }
  return dependents_stopped_[name] = builder_.join(last, "dependents of " + name + " stopped");
}

CreateContainer UpPlanner::creation(const compose::Service& service, int number) const {
  CreateContainer create;
  create.service = service.name;
  create.number = number;
  create.name = container_name(project_, service, number);
  const auto pinned = options_.pinned_images.find(service.name);
  create.image =
      pinned != options_.pinned_images.end() ? pinned->second : image_reference(project_, service);
  create.labels = container_labels(project_, service, graph_.dependencies.at(service.name), number,
                                   hashes_.at(service.name));
  if (const std::string inputs = inputs_of(project_, service, observed_.file_digests);
      !inputs.empty()) {
    create.labels[kInputsLabel] = inputs;
  }
  return create;
}

Status UpPlanner::create_replica(const compose::Service& service, ServiceState& state, int number,
                                 const ObservedContainer* old, const Divergence& why,
                                 int after_leftovers) {
  TRY(require_image(service));
  const std::string& cause = why.cause;
  CreateContainer create = creation(service, number);
  const std::string name = create.name;
  std::vector<int> after = before_creating(service.name);
  after.push_back(after_leftovers);
  state.replaced = true;
  if (old == nullptr) {
    const int created =
        builder_.add(std::move(create), cause, after, container_words(name, "Creating", "Created"));
    state.replicas.push_back({.ref = {"", name, service.name, number, created}, .start = true});
    create_steps_.push_back(created);
    return ok_status();
  }

  const bool beside = is_active(*old) && starts_first(service);
  const bool rolling = beside || (is_active(*old) && update_config(service) != nullptr);
  if (!rolling) after.push_back(stop_restarting_dependents(service.name));
  create.replaces = ref_of(*old);
  create.inherit_anonymous_volumes = !options_.renew_anon_volumes;
  create.name = fmt::format("{}_{}", old->id.substr(0, 12), name);
  create.labels[kReplaceLabel] = old->name;
  ContainerRef ref = {"", create.name, service.name, number, 0};
  ref.created_by =
      builder_.add(std::move(create), cause, after, container_words(name, "Recreate", ""));
  builder_.plan().steps.back().changes = why.changes;
  int last = ref.created_by;
  if (rolling) {
    create_steps_.push_back(last);
    state.replicas.push_back(
        {.ref = std::move(ref), .start = true, .predecessor = old, .beside = beside});
    return ok_status();
  }
  if (is_active(*old) && !stopped_ids_.contains(old->id)) {
    last = builder_.add(StopContainer{ref_of(*old), options_.timeout}, "it is replaced", {last});
  }
  last = builder_.add(RemoveContainer{ref_of(*old), false}, "it is replaced", {last});
  last = builder_.add(RenameContainer{ref, name}, "the old container is gone", {last},
                      container_words(name, "", "Recreated"));
  ref.name = name;
  state.replicas.push_back({.ref = std::move(ref), .start = true});
  create_steps_.push_back(last);
  return ok_status();
}

// A job with `rerun: changed` that ended well; what changed since has made it a replacement
// already.
bool UpPlanner::stays_done(const compose::Service& service, const ObservedContainer& c) const {
  return service.x_stack.rerun == "changed" && c.state == ContainerState::kExited &&
         c.exit_code == 0 && !c.stop_requested && !stopped_ids_.contains(c.id);
}

int UpPlanner::stop_and_remove(const compose::Service& service, const ObservedContainer& c,
                               const std::string& cause) {
  std::vector<int> settled;
  std::vector<int> after = resources_;
  if (is_active(c) && !service.pre_stop.empty())
    settled = {add_pre_stop_hooks(builder_, service, c, std::exchange(after, {}))};
  return builder_.stop_and_remove(c, options_.timeout, false, cause, after, settled);
}

void UpPlanner::keep_replica(const compose::Service& service, ServiceState& state,
                             const ObservedContainer& c, int after_leftovers) {
  Replica replica{.ref = ref_of(c), .observed = &c};
  const std::string name = container_name(project_, service, c.number);
  if (c.name != name && c.labels.contains(kReplaceLabel)) {
    std::vector<int> after = resources_;
    after.push_back(after_leftovers);
    create_steps_.push_back(builder_.add(RenameContainer{ref_of(c), name},
                                         "its replacement was cut short", after,
                                         container_words(name, "", "Recreated")));
    replica.ref.name = name;
  }
  if (options_.only_missing) {
    replica.start = c.state == ContainerState::kCreated;
  } else if (c.state == ContainerState::kPaused && !stopped_ids_.contains(c.id)) {
    replica.start = replica.unpause = true;
  } else if (stays_done(service, c)) {
    builder_.plan().kept.push_back({"Container " + name,
                                    "Exited",
                                    ProgressKind::kDone,
                                    "nothing changed since it ended",
                                    {},
                                    0,
                                    0});
  } else if (runs(c)) {
    builder_.plan().kept.push_back(
        {"Container " + name, "Running", ProgressKind::kDone, {}, {}, 0, 0});
  } else {
    replica.start = true;
  }
  state.replicas.push_back(std::move(replica));
}

Status UpPlanner::plan_create(const std::string& name) {
  const compose::Service& service = project_.services.at(name);
  ServiceState& state = services_[name];
  builder_.plan().services.insert(name);
  if (service.provider) return ok_status();  // the user's side ran it: cli/provider.h
  const int expected = TRY(scale_of(service));
  const std::string& hash = hashes_[name] = compose::config_hash(service);
  const std::size_t steps_before = create_steps_.size();

  std::map<int, Claim> claims;
  int highest = 0;
  for (const ObservedContainer* c : inventory_.of(name)) {
    if (removed_ids_.contains(c->id)) continue;
    highest = std::max(highest, c->number);
    Claim& claim = claims[c->number];
    claim.number = c->number;
    if (c->state == ContainerState::kRemoving || c->state == ContainerState::kDead) {
      claim.leftovers.push_back(c);
      continue;
    }
    auto diverged = divergence(service, *c, hash);
    const auto keep = [&] {
      claim.keeper = c;
      claim.diverged = diverged.has_value();
      if (!diverged) return;
      claim.cause = std::move(diverged->cause);
      claim.changes = std::move(diverged->changes);
    };
    // A newcomer that waits to take over counts as the replica only while it runs and is what is
    // declared.
    const auto rank = [](const ObservedContainer& x, bool fresh) {
      return std::tuple(fresh && (!x.standby || is_active(x)), is_active(x), !x.standby,
                        x.created_at);
    };
    if (claim.keeper == nullptr) {
      keep();
    } else if (rank(*c, !diverged) > rank(*claim.keeper, !claim.diverged)) {
      claim.leftovers.push_back(claim.keeper);
      keep();
    } else {
      claim.leftovers.push_back(c);
    }
  }

  // Current ones first, then low numbers: what is beyond the scale goes, from the back.
  std::vector<Claim*> order;
  for (auto& [number, claim] : claims) order.push_back(&claim);
  std::stable_sort(order.begin(), order.end(), [](const Claim* a, const Claim* b) {
    return std::tuple(a->keeper == nullptr, a->diverged, a->number) <
           std::tuple(b->keeper == nullptr, b->diverged, b->number);
  });

  int kept = 0;
  for (Claim* claim : order) {
    std::vector<int> gone;
    const ObservedContainer* predecessor =
        predecessor_of(*claim, update_config(service) != nullptr);
    for (const ObservedContainer* c : claim->leftovers) {
      if (c == predecessor) continue;
      gone.push_back(builder_.stop_and_remove(*c, options_.timeout, false,
                                              "it is the rest of a replacement", resources_));
    }
    claim->cleared = builder_.join(gone, "leftovers of " + name + " removed");
    if (!gone.empty()) create_steps_.push_back(claim->cleared);
    if (claim->keeper == nullptr) continue;
    if (kept >= expected && !options_.only_missing) {
      create_steps_.push_back(stop_and_remove(service, *claim->keeper,
                                              fmt::format("{} is scaled to {}", name, expected)));
      continue;
    }
    ++kept;
    if (claim->diverged) {
      TRY(create_replica(service, state, claim->number, claim->keeper,
                         {claim->cause, claim->changes}, claim->cleared));
    } else if (predecessor != nullptr) {
      state.replicas.push_back({.ref = ref_of(*claim->keeper),
                                .observed = claim->keeper,
                                .start = !runs(*claim->keeper),
                                .predecessor = predecessor,
                                .beside = claim->keeper->standby || starts_first(service)});
    } else {
      keep_replica(service, state, *claim->keeper, claim->cleared);
    }
  }

  // New numbers continue from the highest; supervision makes anew what vanished.
  const bool fill_gaps = !service.container_name.empty();
  std::vector<std::pair<int, int>> vacant;  // number, step that cleared it
  for (const auto& [number, claim] : claims) {
    if (claim.keeper == nullptr) vacant.emplace_back(number, claim.cleared);
  }
  auto reuse = vacant.begin();
  int number = fill_gaps ? 0 : highest;
  if (options_.only_missing) {
    const auto wanted = options_.missing_numbers.find(name);
    for (const int missing :
         wanted == options_.missing_numbers.end() ? std::set<int>{} : wanted->second) {
      const auto claim = claims.find(missing);
      if (claim != claims.end() && claim->second.keeper != nullptr) continue;
      TRY(create_replica(service, state, missing, nullptr, {"it vanished"},
                         claim == claims.end() ? 0 : claim->second.cleared));
    }
    kept = expected;
  }
  for (; kept < expected; ++kept) {
    if (reuse != vacant.end()) {
      TRY(create_replica(service, state, reuse->first, nullptr, {"it is dead"}, reuse->second));
      ++reuse;
      continue;
    }
    do ++number;
    while (fill_gaps && claims.contains(number));
    TRY(create_replica(service, state, number, nullptr, {"it does not exist"}, 0));
  }
  std::sort(state.replicas.begin(), state.replicas.end(),
            [](const Replica& a, const Replica& b) { return a.ref.number < b.ref.number; });
  if (!graph_.dependents.at(name).empty()) {
    const auto begin = create_steps_.begin() + static_cast<std::ptrdiff_t>(steps_before);
    state.created = builder_.join({begin, create_steps_.end()}, name + " created");
    create_steps_.erase(begin, create_steps_.end());
    create_steps_.push_back(state.created);
  }
  for (const Replica& replica : state.replicas) {
    ContainerRef ref = replica.ref;
    ref.name = container_name(project_, service, ref.number);
    if (named(name)) builder_.plan().targets.push_back(ref);
    builder_.plan().replicas.push_back(std::move(ref));
  }
  return ok_status();
}

}  // namespace stack::scheduler
