#include "scheduler/supervisor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "scheduler/reconcile.h"
#include "scheduler/supervisor_entry.h"

namespace stack::scheduler {

namespace {

constexpr Duration kSlowLook = std::chrono::seconds(60);
constexpr Duration kFirstRetry = std::chrono::seconds(1);
constexpr Duration kLongestRetry = std::chrono::minutes(1);

}  // namespace

Supervisor::Supervisor(RunContext context, Callbacks callbacks)
    : context_(std::move(context)),
      callbacks_(std::move(callbacks)),
      alive_(std::make_shared<bool>(true)) {}

Supervisor::~Supervisor() { *alive_ = false; }

Supervisor::Entry& Supervisor::entry(const std::string& name) {
  auto& slot = entries_[name];
  if (!slot) {
    slot = std::make_unique<Entry>();
    slot->name = name;
  }
  return *slot;
}

const Kept* Supervisor::kept(const std::string& project) const {
  const auto it = entries_.find(project);
  return it == entries_.end() || it->second->kept.replicas.empty() ? nullptr : &it->second->kept;
}

void Supervisor::restore(Kept kept) {
  Entry& e = entry(kept.project->name);
  e.kept = std::move(kept);
  // What vanished while we were away was running for all we know.
  for (const auto& [service, numbers] : e.kept.replicas) {
    for (const int number : numbers) e.active[{service, number}] = true;
  }
  changed(e);
}

void Supervisor::forget(const std::string& project, const std::string& service, int number) {
  const auto it = entries_.find(project);
  if (it == entries_.end()) return;
  Kept& kept = it->second->kept;
  const auto numbers = kept.replicas.find(service);
  if (numbers == kept.replicas.end() || numbers->second.erase(number) == 0) return;
  if (numbers->second.empty()) kept.replicas.erase(numbers);
  changed(*it->second);
  drop_if_idle(project);
}

RunHandle Supervisor::up(ProjectPtr project, UpOptions options, ProgressSink progress,
                         RunDone done) {
  const std::string name = project->name;
  const Turn turn = options.dry_run ? Turn::kFree : Turn::kBuildUp;
  const bool counts = !options.dry_run;
  const bool starts = !options.no_start;
  auto start = [&](RunContext context, RunDone over) {
    return start_up(std::move(context), project, std::move(options), std::move(progress),
                    std::move(over));
  };
  auto keep = [project, counts, starts](Entry& e, const Result<RunResult>& result) {
    if (!counts || !result.ok() || !result->questions.empty()) return;
    if (!starts) {
      // What it made waits for the command that starts it.
      for (const ContainerRef& replica : result->plan.replicas) {
        const auto numbers = e.kept.replicas.find(replica.service);
        if (replica.created_by != 0 && numbers != e.kept.replicas.end())
          numbers->second.erase(replica.number);
      }
      return;
    }
    e.kept.project = project;
    std::erase_if(e.kept.replicas,
                  [&](const auto& item) { return !project->services.contains(item.first); });
    for (const std::string& service : result->plan.services) e.kept.replicas.erase(service);
    for (const ContainerRef& replica : result->plan.replicas) {
      e.kept.replicas[replica.service].insert(replica.number);
      e.active[{replica.service, replica.number}] = true;
    }
  };
  return launch(name, turn, start, keep, std::move(done));
}

RunHandle Supervisor::run(ProjectPtr project, RunOptions options, ProgressSink progress,
                          RunDone done) {
  const std::string name = project->name;
  const Turn turn = options.dry_run ? Turn::kFree : Turn::kBuildUp;
  auto start = [&](RunContext context, RunDone over) {
    return start_run(std::move(context), project, std::move(options), std::move(progress),
                     std::move(over));
  };
  return launch(name, turn, start, nullptr, std::move(done));
}

RunHandle Supervisor::down(std::string name, ProjectPtr project, DownOptions options,
                           ProgressSink progress, RunDone done) {
  const Turn turn = options.dry_run ? Turn::kFree : Turn::kTearDown;
  if (!options.dry_run) {
    // Forgotten first: nothing is made anew between the command and its end.
    Entry& e = entry(name);
    if (options.services.empty()) e.kept.replicas.clear();
    for (const std::string& service : options.services) e.kept.replicas.erase(service);
    changed(e);
  }
  auto start = [&](RunContext context, RunDone over) {
    return start_down(std::move(context), name, std::move(project), std::move(options),
                      std::move(progress), std::move(over));
  };
  return launch(name, turn, start, nullptr, std::move(done));
}

RunHandle Supervisor::verb(Verb verb, std::string name, ProjectPtr project, ServicesOptions options,
                           ProgressSink progress, RunDone done) {
  const bool forgets = verb == Verb::kStop || verb == Verb::kKill || verb == Verb::kRemove;
  const bool starts = verb == Verb::kStart || verb == Verb::kRestart;
  const Turn ending = verb == Verb::kKill ? Turn::kKill : Turn::kTearDown;
  const Turn turn = forgets && !options.dry_run ? ending : Turn::kFree;
  const bool counts = !options.dry_run;
  ProjectPtr known = project;
  auto start = [&](RunContext context, RunDone over) {
    return start_verb(std::move(context), verb, name, std::move(project), std::move(options),
                      std::move(progress), std::move(over));
  };
  auto keep = [=](Entry& e, const Result<RunResult>& result) {
    if (!counts || !result.ok()) return;
    for (const ContainerSummary& c : result->containers) {
      if (forgets) {
        const auto numbers = e.kept.replicas.find(c.service);
        if (numbers != e.kept.replicas.end()) numbers->second.erase(c.number);
      } else if (starts && (e.kept.project || known)) {
        if (!e.kept.project) e.kept.project = known;
        if (!e.kept.project->services.contains(c.service)) continue;
        e.kept.replicas[c.service].insert(c.number);
        e.active[{c.service, c.number}] = true;
      }
    }
    std::erase_if(e.kept.replicas, [](const auto& item) { return item.second.empty(); });
  };
  return launch(name, turn, start, keep, std::move(done));
}

RunHandle Supervisor::launch(const std::string& name, Turn turn,
                             const std::function<RunHandle(RunContext, RunDone)>& start,
                             std::function<void(Entry&, const Result<RunResult>&)> keep,
                             RunDone done) {
  Entry& e = entry(name);
  const auto command = std::make_shared<Command>();
  command->turn = turn;
  const auto others = e.commands;  // a run may end inside cancel()
  e.commands.push_back(command);
  for (const auto& other : others) {
    const bool ends = turn == Turn::kTearDown || turn == Turn::kKill;
    const bool yields = other->turn == Turn::kMend || (ends && other->turn == Turn::kBuildUp);
    if (turn != Turn::kFree && turn != Turn::kMend && yields) other->handle.cancel();
  }

  RunContext context = context_;
  context.gate = [command](std::function<void()> begin) { command->begin = std::move(begin); };
  command->handle =
      start(context, [this, alive = std::weak_ptr(alive_), name, command, keep = std::move(keep),
                      done = std::move(done)](Result<RunResult> result) {
        if (alive.expired()) return done(std::move(result));
        command->over = true;
        Entry& mine = entry(name);
        std::erase(mine.commands, command);
        if (keep) {
          keep(mine, result);
          changed(mine);
        }
        give_turns(name);
        schedule(name, Duration{});
        drop_if_idle(name);
        done(std::move(result));
      });
  e.turns = context_.timers.after(Duration{}, [this, name] { give_turns(name); });
  return command->handle;
}

void Supervisor::give_turns(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return;
  bool exclusive = false;  // one of those that come one after the other is under way or before us
  bool building = false;   // one of them creates or starts
  std::vector<std::shared_ptr<Command>> going;
  for (const auto& command : it->second->commands) {
    const bool ready = !command->running && command->begin;
    if (command->turn == Turn::kFree) {
      if (ready) going.push_back(command);
      continue;
    }
    if (command->turn == Turn::kKill) {
      if (ready && !building) going.push_back(command);
      continue;
    }
    if (ready && !exclusive) going.push_back(command);
    exclusive = true;
    building = building || command->turn != Turn::kTearDown;
  }
  for (const auto& command : going) {
    if (std::exchange(command->running, true)) continue;
    std::exchange(command->begin, nullptr)();
  }
}

void Supervisor::changed(Entry& e) {
  std::erase_if(e.kept.replicas, [](const auto& item) { return item.second.empty(); });
  const bool keeps = !e.kept.replicas.empty();
  if (callbacks_.changed) callbacks_.changed(e.name, keeps ? &e.kept : nullptr);
  if (!keeps) {
    e.watch.reset();
    e.next_look.reset();
    e.active.clear();
    return;
  }
  if (!e.watch) {
    e.watch = context_.engine.watch(e.name, [this, name = e.name] { schedule(name, Duration{}); });
  }
  schedule(e.name, Duration{});
}

void Supervisor::drop_if_idle(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end() || !it->second->commands.empty() || !it->second->kept.replicas.empty())
    return;
  entries_.erase(it);
}

void Supervisor::schedule(const std::string& name, Duration delay) {
  const auto it = entries_.find(name);
  if (it == entries_.end() || it->second->kept.replicas.empty()) return;
  it->second->next_look = context_.timers.after(delay, [this, name] { look(name); });
}

void Supervisor::look(const std::string& name) {
  const auto it = entries_.find(name);
  if (it == entries_.end() || !it->second->commands.empty())
    return;  // looked at again when they are over
  Entry& e = *it->second;
  if (e.looking) {
    e.look_again = true;
    return;
  }
  e.looking = true;
  e.look_again = false;
  ObserveRequest request;
  request.project = name;
  context_.engine.observe(request,
                          [this, alive = std::weak_ptr(alive_), name](Result<Observed> observed) {
                            if (alive.expired()) return;
                            const auto found = entries_.find(name);
                            if (found == entries_.end()) return;
                            found->second->looking = false;
                            if (found->second->look_again) return look(name);
                            if (observed.ok()) return looked(name, *observed);
                            if (callbacks_.report)
                              callbacks_.report(name, observed.error().to_string());
                            schedule(name, kLongestRetry);
                          });
}

void Supervisor::looked(const std::string& name, const Observed& observed) {
  Entry& e = *entries_.at(name);
  if (!e.commands.empty()) return;
  std::set<std::pair<std::string, int>> there;
  for (const ObservedContainer& c : observed.containers) {
    // Created and not started is what a mending that was cut short leaves behind, dead what a
    // removal does.
    if (c.one_off || c.state == ContainerState::kDead || c.state == ContainerState::kCreated)
      continue;
    there.insert({c.service, c.number});
    if (c.state == ContainerState::kRemoving) continue;  // until it is gone
    e.active[{c.service, c.number}] = c.state == ContainerState::kRunning ||
                                      c.state == ContainerState::kPaused ||
                                      c.state == ContainerState::kRestarting;
  }
  std::map<std::string, std::set<int>> missing;
  for (const auto& [service, numbers] : e.kept.replicas) {
    for (const int number : numbers) {
      if (!there.contains({service, number}) && e.active[{service, number}])
        missing[service].insert(number);
    }
  }
  if (!missing.empty()) return mend(name, std::move(missing));
  if (auto ready = followers(e, observed); !ready.empty()) return follow(name, std::move(ready));
  e.retry = {};
  schedule(name, kSlowLook);
}

void Supervisor::mend(const std::string& name, std::map<std::string, std::set<int>> missing) {
  Entry& e = *entries_.at(name);
  UpOptions options;
  options.only_missing = true;
  options.ignore_orphans = true;
  for (const auto& [service, numbers] : missing) options.services.push_back(service);
  options.missing_numbers = std::move(missing);
  auto start = [&](RunContext context, RunDone over) {
    return start_up(std::move(context), e.kept.project, options, {}, std::move(over));
  };
  launch(name, Turn::kMend, start, nullptr,
         [this, alive = std::weak_ptr(alive_), name](Result<RunResult> result) {
           if (alive.expired()) return;
           const auto found = entries_.find(name);
           if (found == entries_.end()) return;
           Entry& mended = *found->second;
           if (result.ok()) {
             mended.retry = {};
             for (const Step& step : result->plan.steps) {
               const auto* create = std::get_if<CreateContainer>(&step.op);
               if (create != nullptr && callbacks_.report) {
                 callbacks_.report(name,
                                   "container " + create->name + " had vanished and was made anew");
               }
             }
             return;
           }
           if (result.error().kind == ErrorKind::kCancelled) return;
           mended.retry =
               mended.retry <= Duration{} ? kFirstRetry : std::min(2 * mended.retry, kLongestRetry);
           if (callbacks_.report)
             callbacks_.report(name, "mending failed: " + result.error().to_string());
           schedule(name, mended.retry);
         });
}

}  // namespace stack::scheduler
