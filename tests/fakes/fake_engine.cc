#include "tests/fakes/fake_engine.h"

#include <fmt/core.h>

#include <algorithm>

#include "scheduler/graph.h"
#include "scheduler/inventory.h"
#include "scheduler/labels.h"

namespace stack::testing {

using namespace scheduler;  // NOLINT(google-build-using-namespace): the whole file is about it

void FakeEngine::observe(const ObserveRequest& request, Done<Observed> done) {
  ++observations;
  Observed seen = world;
  std::erase_if(seen.containers,
                [&](const ObservedContainer& c) { return c.project != request.project; });
  done(std::move(seen));
}

Subscription FakeEngine::watch(const std::string&, std::function<void()> look_again) {
  const int id = ++next_watcher_;
  watchers_->emplace(id, std::move(look_again));
  return Subscription([watchers = watchers_, id] { watchers->erase(id); });
}

void FakeEngine::preflight(const ProjectPtr&, const Preflight& what, Done<Unit> done) {
  last_preflight = what;
  done(preflight_fault ? Status(*preflight_fault) : ok_status());
}

void FakeEngine::perform(const ProjectPtr& project, const Operation& op, const ProgressSink&,
                         std::stop_token, Done<OperationResult> done) {
  log.push_back(to_string(op));
  ++steps;
  if (fault) {
    if (auto error = fault(op)) return done(std::move(*error));
  }
  if (operation_time == Duration{}) {
    auto result = apply(project, op);
    check_invariants();
    changed();
    return done(std::move(result));
  }
  most_at_once = std::max(most_at_once, ++running_operations_);
  Duration time = operation_time;
  if (random != nullptr) time += std::chrono::milliseconds((*random)() % 40);
  const int incarnation = incarnation_;
  pending_.push_back(timers_.after(time, [this, project, op, done = std::move(done), incarnation] {
    --running_operations_;
    // A dead engine's operation may or may not have happened; here it has not.
    if (incarnation != incarnation_) return;
    auto result = apply(project, op);
    check_invariants();
    changed();
    done(std::move(result));
  }));
}

ObservedContainer* FakeEngine::by_id(const std::string& id) {
  const auto it = std::find_if(world.containers.begin(), world.containers.end(),
                               [&](const auto& c) { return c.id == id; });
  return it == world.containers.end() ? nullptr : &*it;
}

ObservedContainer* FakeEngine::find(const std::string& name) {
  const auto it = std::find_if(world.containers.begin(), world.containers.end(),
                               [&](const auto& c) { return c.name == name; });
  return it == world.containers.end() ? nullptr : &*it;
}

Result<OperationResult> FakeEngine::create(const ProjectPtr& project, const CreateContainer& op) {
  if (const auto* other = find(op.name)) {
    return Error::conflict(
        fmt::format("Conflict. The container name \"/{}\" is already in use by container \"{}\"",
                    op.name, other->id));
  }
  const compose::Service& service = project->services.at(op.service);
  ObservedContainer c;
  c.id = fmt::format("{:012x}{:052x}", ++next_id_, 0);
  c.name = op.name;
  c.project = project->name;
  c.service = op.service;
  c.number = op.number;
  c.one_off = op.one_off;
  c.labels = op.labels;
  c.config_hash = op.labels.at(kConfigHashLabel);
  c.depends_on = op.labels.at(kDependsOnLabel);
  c.image = op.image;
  const auto image = world.image_ids.find(op.image);
  if (image == world.image_ids.end()) return Error::not_found("No such image: " + op.image);
  c.image_id = image->second;
  c.has_healthcheck = behaviour[op.service].has_healthcheck;
  c.created_at = WallTime(std::chrono::nanoseconds(next_id_));
  for (const auto& [key, options] : service.networks) {
    const std::string& name = project->networks.at(key).name;
    const auto network = world.networks.find(name);
    if (network == world.networks.end()) return Error::not_found("network " + name + " not found");
    c.networks[name] = network->second.id;
  }
  for (const auto& mount : service.volumes) {
    if (mount.type != "volume") continue;
    if (!mount.source.empty()) {
      const std::string& name = project->volumes.at(mount.source).name;
      if (!world.volumes.contains(name)) return Error::not_found("volume " + name + " not found");
      c.mounts.push_back({mount.target, name, false});
      continue;
    }
    std::string name = "anonymous-" + c.id.substr(0, 12);
    if (const auto* old = by_id(op.replaces.id); op.inherit_anonymous_volumes && old != nullptr) {
      for (const auto& m : old->mounts) {
        if (m.anonymous && m.target == mount.target) name = m.volume;
      }
    }
    c.mounts.push_back({mount.target, name, true});
  }
  for (const std::string& base : joined_services(service)) {
    for (const auto& other : world.containers) {
      if (other.service == base && other.project == project->name) c.joined.push_back(other.id);
    }
  }
  world.containers.push_back(c);
  return OperationResult{c.id, 0};
}

Result<OperationResult> FakeEngine::start(const std::string& id) {
  ObservedContainer* c = by_id(id);
  if (c == nullptr) return Error::not_found("No such container: " + id);
  if (c->state == ContainerState::kRunning) return OperationResult{};
  c->stop_requested = false;
  c->restart_count = 0;
  restarts_.erase(id);
  begin_to_run(*c);
  return OperationResult{};
}

void FakeEngine::begin_to_run(ObservedContainer& c) {
  c.state = ContainerState::kRunning;
  c.exit_code = 0;
  began_[c.id] = timers_.now();
  c.started_at = WallTime(std::chrono::duration_cast<WallTime::duration>(
      timers_.now().time_since_epoch() + std::chrono::nanoseconds(++starts_)));
  const Behaviour& how = behaviour[c.service];
  c.health = how.has_healthcheck ? HealthStatus::kStarting : HealthStatus::kNone;
  const auto same_run = [this, id = c.id, began = c.started_at]() -> ObservedContainer* {
    ObservedContainer* now = by_id(id);
    return now != nullptr && now->state == ContainerState::kRunning && now->started_at == began
               ? now
               : nullptr;
  };
  if (how.has_healthcheck) {
    pending_.push_back(timers_.after(how.healthy_after, [this, same_run, bad = how.unhealthy] {
      if (auto* now = same_run())
        set_health(now->name, bad ? HealthStatus::kUnhealthy : HealthStatus::kHealthy);
    }));
  }
  if (how.exits) {
    pending_.push_back(timers_.after(how.exits_after, [this, same_run, code = *how.exits] {
      if (auto* now = same_run()) exit_container(now->name, code);
    }));
  }
}

void FakeEngine::restart_after(ObservedContainer& c, const RestartDecision& decision) {
  c.restart_reason = decision.reason;
  if (!decision.restart) return;
  restarts_[c.id] = decision.next;
  c.restart_count = decision.next.count;
  c.state = ContainerState::kRestarting;
  c.health = HealthStatus::kNone;
  pending_.push_back(timers_.after(decision.delay, [this, id = c.id] {
    ObservedContainer* now = by_id(id);
    if (now == nullptr || now->state != ContainerState::kRestarting) return;
    ++steps;
    if (now->stop_requested) violations.push_back(now->name + " was restarted after a stop");
    begin_to_run(*now);
    check_invariants();
    changed();
  }));
}

Result<OperationResult> FakeEngine::apply(const ProjectPtr& project, const Operation& op) {
  const ContainerRef* ref = container_of(op);
  ObservedContainer* c = ref == nullptr ? nullptr : by_id(ref->id);
  const auto missing = [&] { return Error::not_found("No such container: " + ref->name); };
  if (ref != nullptr && ref->id.empty())
    return Error::make(ErrorKind::kInternal, "no id for " + ref->name);

  if (const auto* create_op = std::get_if<CreateContainer>(&op)) return create(project, *create_op);
  if (const auto* start_op = std::get_if<StartContainer>(&op)) {
    if (c != nullptr) c->standby = start_op->standby;
    return start(ref->id);
  }
  if (const auto* image = std::get_if<EnsureImage>(&op)) {
    world.image_ids[image->reference] = fmt::format("sha256:new{}", ++next_id_);
    return OperationResult{world.image_ids[image->reference], 0};
  }
  if (const auto* image = std::get_if<RemoveImage>(&op)) {
    if (world.image_ids.erase(image->reference) == 0)
      return Error::not_found("No such image: " + image->reference);
    return OperationResult{};
  }
  if (const auto* network = std::get_if<CreateNetwork>(&op)) {
    if (world.networks.contains(network->name)) return Error::conflict("network exists");
    const std::string id = fmt::format("net{}", ++next_id_);
    world.networks[network->name] = {network->name, id, network->config_hash, network->labels};
    return OperationResult{id, 0};
  }
  if (const auto* network = std::get_if<RemoveNetwork>(&op)) {
    for (const auto& other : world.containers) {
      if (other.networks.contains(network->name))
        return Error::conflict("network has active endpoints");
    }
    if (world.networks.erase(network->name) == 0) return Error::not_found("no such network");
    return OperationResult{};
  }
  if (const auto* volume = std::get_if<CreateVolume>(&op)) {
    world.volumes[volume->name] = {volume->name, volume->config_hash, volume->labels};
    return OperationResult{};
  }
  if (const auto* volume = std::get_if<RemoveVolume>(&op)) {
    for (const auto& other : world.containers) {
      for (const auto& m : other.mounts) {
        if (m.volume == volume->name) return Error::conflict("volume is in use");
      }
    }
    world.volumes.erase(volume->name);
    return OperationResult{};
  }
  if (std::holds_alternative<RemoveContainer>(op)) {
    if (c != nullptr && is_active(*c)) return Error::conflict("cannot remove a running container");
    std::erase_if(world.containers, [&](const auto& other) { return other.id == ref->id; });
    return OperationResult{};
  }
  if (c == nullptr) return missing();
  if (const auto* over = std::get_if<TakeOver>(&op)) {
    if (c->state != ContainerState::kRunning) return Error::conflict(c->name + " does not run");
    if (auto* from = by_id(over->from.id)) from->standby = true;
    c->standby = false;
    return OperationResult{};
  }
  if (const auto* rename = std::get_if<RenameContainer>(&op)) {
    if (const auto* other = find(rename->to); other != nullptr && other != c)
      return Error::conflict("name " + rename->to + " is taken");
    c->name = rename->to;
  } else if (std::holds_alternative<StopContainer>(op) ||
             std::holds_alternative<KillContainer>(op)) {
    if (is_active(*c)) {
      c->state = ContainerState::kExited;
      c->exit_code = 137;
      c->health = HealthStatus::kNone;
    }
    c->standby = false;
    c->stop_requested = true;
  } else if (std::holds_alternative<PauseContainer>(op)) {
    c->state = ContainerState::kPaused;
  } else if (std::holds_alternative<UnpauseContainer>(op)) {
    c->state = ContainerState::kRunning;
  } else if (const auto* connect = std::get_if<ConnectNetwork>(&op)) {
    c->networks[connect->name] = world.networks.at(connect->name).id;
  } else if (const auto* disconnect = std::get_if<DisconnectNetwork>(&op)) {
    c->networks.erase(disconnect->name);
  } else if (std::holds_alternative<RunHook>(op)) {
    return OperationResult{{}, hook_exit_code};
  }
  return OperationResult{};
}

void FakeEngine::check_invariants() {
  std::set<std::tuple<std::string, std::string, int>> running;
  for (const auto& c : world.containers) {
    if (c.one_off || !is_active(c) || c.standby) continue;
    if (!running.insert({c.project, c.service, c.number}).second) {
      violations.push_back(fmt::format("two running containers are {} {}", c.service, c.number));
    }
  }
}

void FakeEngine::exit_container(const std::string& name, int code) {
  ObservedContainer* c = find(name);
  if (c == nullptr) return;
  ++steps;
  const bool ran = c->state == ContainerState::kRunning;
  c->state = ContainerState::kExited;
  c->exit_code = code;
  c->health = HealthStatus::kNone;
  if (ran) {
    restart_after(*c, decide_exit(behaviour[c->service].policy, restarts_[c->id],
                                  {code, timers_.now() - began_[c->id], c->stop_requested}));
  }
  changed();
}

void FakeEngine::remove_container(const std::string& name) {
  std::erase_if(world.containers, [&](const auto& c) { return c.name == name; });
  changed();
}

void FakeEngine::set_health(const std::string& name, HealthStatus health) {
  ++steps;
  if (ObservedContainer* c = find(name)) {
    c->health = health;
    const RestartPolicy& policy = behaviour[c->service].policy;
    if (health == HealthStatus::kUnhealthy && policy.kind != RestartPolicy::Kind::kNo)
      restart_after(*c,
                    decide_unhealthy(policy, "", restarts_[c->id], timers_.now() - began_[c->id]));
  }
  changed();
}

void FakeEngine::changed() {
  for (const auto& [id, fn] : *watchers_) {
    pending_.push_back(timers_.after(Duration{}, [watchers = watchers_, watcher = id] {
      const auto it = watchers->find(watcher);
      if (it == watchers->end()) return;
      const auto look_again = it->second;
      look_again();
    }));
  }
}

std::vector<std::string> FakeEngine::names() const {
  std::vector<std::string> names;
  for (const auto& c : world.containers)
    names.push_back(c.name + " " + std::string(to_string(c.state)));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace stack::testing
