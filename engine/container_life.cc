// Start, end, restart, and finding running containers again.

#include <signal.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_config.h"
#include "engine/container_start.h"
#include "engine/containers_impl.h"
#include "engine/networks.h"
#include "images/store.h"
#include "netd/client.h"
#include "netd/endpoint.h"
#include "netd/ipam.h"
#include "netd/network.h"

namespace stack::engine {

namespace {

constexpr std::string_view kContainerMode = "container:";

bool is_running(const Container& c) {
  return c.status == RunState::kRunning || c.status == RunState::kPaused;
}

scheduler::RestartPolicy policy_of(const Container& c) {
  std::string text = c.config.restart_policy;
  if (text == "on-failure" && c.config.restart_max_retries > 0)
    text += ":" + std::to_string(c.config.restart_max_retries);
  auto policy = scheduler::parse_restart_policy(text);
  return policy.ok() ? *policy : scheduler::RestartPolicy{};  // checked when it was created
}

int stop_timeout(const Container& c, std::optional<int> asked) {
  return asked.value_or(c.config.stop_timeout.value_or(10));
}

// The host's resolvers as a container would see them: a loopback address means the container's own
// loopback there.
bool host_resolver_is_loopback() {
  const auto text = read_file("/etc/resolv.conf");
  return text.ok() && (text->find("nameserver 127.") != std::string::npos ||
                       text->find("nameserver ::1") != std::string::npos);
}

}  // namespace

void Containers::Impl::start(Entry* entry, Done<Unit> done) {
  Container& c = entry->c;
  if (c.status == RunState::kRunning) return done(Unit{});
  if (c.status == RunState::kPaused)
    return done(Error::conflict("cannot start a paused container, try unpause instead"));
  if (c.status == RunState::kRemoving || c.status == RunState::kDead) {
    return done(Error::conflict("container is marked for removal and cannot be started"));
  }
  entry->restart_timer.cancel();
  c.error.clear();
  c.manually_stopped = false;

  auto job = std::make_shared<StartJob>();
  job->directory = directory(c.id);
  job->run_dir = run_dir(c.id);
  const auto join = [&](const std::string& mode, int* pid) -> Status {
    if (mode.rfind(kContainerMode, 0) != 0) return ok_status();
    const Entry* other = TRY(find(mode.substr(kContainerMode.size())));
    if (other->c.pid == 0)
      return Error::conflict("cannot join namespace of a non running container: container " +
                             other->c.name + " is " + to_string(other->c.status));
    *pid = other->c.pid;
    if (pid == &job->network_pid) job->files_of = directory(other->c.id);
    return ok_status();
  };
  const auto prepare = [&]() -> Status {
    job->lowers = TRY(services.store.layer_directories(c.image_id));
    TRY(join(c.config.network_mode, &job->network_pid));
    TRY(join(c.config.pid_mode, &job->pid_pid));
    TRY(join(c.config.ipc_mode, &job->ipc_pid));
    TRY(join(c.config.uts_mode, &job->uts_pid));
    int index = 0;
    for (auto& endpoint : c.endpoints) {
      // A network that was removed and made again under the same name is found by its name.
      auto network = services.networks->find(endpoint.network_id);
      if (!network.ok()) network = services.networks->find(endpoint.network_name);
      if (!network.ok()) return std::move(network).error();
      endpoint.network_id = (*network)->id;
      TRY(services.networks->assign(**network, &endpoint));
      // A name of its own for every start: the pair of an earlier life may not be gone yet.
      endpoint.host_veth = netd::veth_name(random_hex(64), index++);
      job->networks.push_back(Networks::spec_of(**network));
      if ((*network)->predefined) {
        job->bridge_gate = services.networks->bridge_gate();
      } else {
        job->resolver = true;
      }
      if (!endpoint.config.links.empty()) job->resolver = true;
    }
    if (!c.endpoints.empty() && (!c.config.links.empty() || host_resolver_is_loopback()))
      job->resolver = true;
    TRY(assign_ports(entry));
    return ok_status();
  };
  Status prepared = prepare();
  if (!prepared.ok()) {
    release(entry);
    c.error = prepared.error().message;
    c.exit_code = 128;
    save(*entry);
    return done(std::move(prepared).error());
  }
  if (const auto bridge = services.networks->find("bridge");
      bridge.ok() && !(*bridge)->config.ipam.empty()) {
    job->host_gateway = (*bridge)->config.ipam.front().gateway;
  }
  for (const auto& endpoint : c.endpoints) {
    if (!endpoint.gateway4.empty()) job->host_gateway = endpoint.gateway4;
  }
  job->ports = published_ports(*entry);
  for (auto& client : entry->pending_clients) {
    job->clients.push_back(
        {std::move(client.socket),
         {client.options.stdin_, client.options.stdout_, client.options.stderr_}});
  }
  entry->pending_clients.clear();
  job->container = c;
  const std::string id = c.id;

  const auto failed = [this, id, done](Error error) {
    Entry* same = get(id);
    if (same != nullptr) {
      release(same);
      same->c.status = same->c.started_at ? RunState::kExited : RunState::kCreated;
      same->c.error = error.message;
      same->c.exit_code = runtime::start_exit_code(error.message);
      save(*same);
    }
    done(std::move(error));
  };
  const auto launch_now = [this, id, job, failed, done](std::shared_ptr<Fd> netns) {
    services.pool.run(
        [this, job, netns] { return launch(services.runtime, *job, netns->get()); },
        [this, id, job, failed, done](Result<runtime::RunningContainer> running) {
          if (!running.ok()) return failed(std::move(running).error());
          job->clients.clear();  // the shim has its own copies: ours would keep the streams open
          begin_running(get(id), std::move(running).value());
          done(Unit{});
        });
  };
  services.pool.run([job] { return prepare_network(*job); },
                    [this, id, job, failed, launch_now](Result<Fd> made) {
                      if (!made.ok()) return failed(std::move(made).error());
                      Entry* same = get(id);
                      auto netns = std::make_shared<Fd>(std::move(made).value());
                      if (!*netns) return launch_now(netns);
                      auto copy = duplicate(netns->get());
                      if (!copy.ok()) return failed(std::move(copy).error());
                      register_names(same, std::move(copy).value(),
                                     [this, id, job, netns, failed, launch_now](Status known) {
                                       if (!known.ok()) return failed(std::move(known).error());
                                       if (job->ports.empty()) return launch_now(netns);
                                       services.netd.set_published(
                                           id, job->ports,
                                           [netns, failed, launch_now](Status bound) {
                                             if (bound.ok()) return launch_now(netns);
                                             failed(std::move(bound).error().while_(
                                                 "failed to set up container networking"));
                                           });
                                     });
                    });
}

void Containers::Impl::begin_running(Entry* entry, runtime::RunningContainer running) {
  Container& c = entry->c;
  ++entry->generation;
  c.status = RunState::kRunning;
  c.pid = running.init.pid;
  c.exit_code = 0;
  c.oom_killed = false;
  c.error.clear();
  c.started_at = services.clock.wall();
  c.finished_at.reset();
  entry->started = services.clock.now();
  entry->shim_pidfd = std::move(running.shim_pidfd);
  const std::string id = c.id;
  entry->exit_watch = services.loop.on_readable(
      entry->shim_pidfd.get(),
      [this, id, generation = entry->generation] { on_shim_exit(id, generation); });
  save(*entry);
  for (const auto& endpoint : c.endpoints) {
    services.events.publish(
        {"network",
         "connect",
         endpoint.network_id,
         {{"container", id}, {"name", endpoint.network_name}, {"type", "bridge"}},
         *c.started_at});
  }
  start_health(entry, false);
  publish(*entry, "start");
}

void Containers::Impl::on_shim_exit(const std::string& id, std::uint64_t generation) {
  Entry* entry = get(id);
  if (entry == nullptr || entry->generation != generation) return;
  entry->exit_watch.cancel();
  (void)reap(entry->shim_pidfd.get(), false);  // ECHILD when an earlier engine was its parent
  entry->shim_pidfd.reset();
  auto record = runtime::read_exit(run_dir(id));
  runtime::ExitRecord exit;
  exit.code = 137;  // no record: the shim was killed, and its container with it
  exit.finished = services.clock.wall();
  if (record.ok() && record->has_value()) exit = **record;
  const bool idle = !entry->busy;
  entry->busy = true;
  ended(entry, exit.code, exit.oom_killed, exit.finished, [this, id, idle] {
    Entry* same = get(id);
    if (same == nullptr) return;
    if (idle) same->busy = false;
    apply_restart_policy(same);
    auto callbacks = std::move(same->when_stopped);
    same->when_stopped.clear();
    for (auto& callback : callbacks) callback();
    if (idle) run_next(id);
  });
}

void Containers::Impl::ended(Entry* entry, int exit_code, bool oom_killed, WallTime finished,
                             Entry::Finished then) {
  Container& c = entry->c;
  stop_health(entry);
  entry->kill_timer.cancel();
  const auto ports = published_ports(*entry);
  c.status = RunState::kExited;
  c.pid = 0;
  c.exit_code = exit_code;
  c.oom_killed = oom_killed;
  c.finished_at = finished;
  const auto ran =
      c.started_at
          ? std::chrono::duration_cast<std::chrono::seconds>(finished - *c.started_at).count()
          : 0;
  services.netd.remove_container(c.id);
  const std::string id = c.id;
  services.pool.run(
      [this, id, ports] { return clean_up(services.runtime, id, run_dir(id), ports); },
      [this, id, ran, then = std::move(then)](Status cleaned) {
        Entry* same = get(id);
        if (same == nullptr) return;
        if (!cleaned.ok())
          log_warning("cleaning up after container {}: {}", same->c.name,
                      cleaned.error().to_string());
        for (const auto& endpoint : same->c.endpoints) {
          services.events.publish(
              {"network",
               "disconnect",
               endpoint.network_id,
               {{"container", id}, {"name", endpoint.network_name}, {"type", "bridge"}},
               services.clock.wall()});
        }
        release(same);
        save(*same);
        if (same->c.oom_killed) publish(*same, "oom");
        if (std::exchange(same->stopping, false)) publish(*same, "stop");
        publish(*same, "die",
                {{"exitCode", std::to_string(same->c.exit_code)},
                 {"execDuration", std::to_string(ran)}});
        notify_waiters(same, WaitCondition::kNextExit);
        then();
      });
}

void Containers::Impl::apply_restart_policy(Entry* entry) {
  Container& c = entry->c;
  const std::string id = c.id;
  const scheduler::ContainerExit exit{
      c.exit_code, c.started_at ? *c.finished_at - *c.started_at : Duration{0}, c.manually_stopped};
  const auto decision = scheduler::decide_exit(policy_of(c), entry->restarts, exit);
  c.restart_reason = decision.reason;
  if (!decision.restart) {
    save(*entry);
    if (c.config.auto_remove && c.status == RunState::kExited) {
      services.loop.post([this, id] {
        if (get(id) != nullptr) services.containers->remove(id, {true, true}, [](Result<Unit>) {});
      });
    }
    return;
  }
  entry->restarts = decision.next;
  c.restart_count = decision.next.count;
  c.status = RunState::kRestarting;
  save(*entry);
  entry->restart_timer = services.loop.after(decision.delay, [this, id] {
    enqueue(id, [this, id](Entry::Finished finished) {
      Entry* same = get(id);
      if (same->c.status != RunState::kRestarting) return finished();
      start(same, [this, id, finished](Result<Unit> started) {
        Entry* again = get(id);
        if (!started.ok() && again != nullptr) {
          log_warning("restarting container {}: {}", again->c.name, started.error().to_string());
          // A start that fails counts as an exit, so that the back-off goes on: the cause may pass.
          again->c.finished_at = again->c.started_at = services.clock.wall();
          if (!again->c.manually_stopped) apply_restart_policy(again);
        }
        finished();
      });
    });
  });
}

void Containers::Impl::stop(Entry* entry, std::optional<int> timeout,
                            const std::string& signal_text, Done<Unit> done) {
  Container& c = entry->c;
  const std::string id = c.id;
  c.manually_stopped = true;
  if (c.status == RunState::kRestarting) {
    entry->restart_timer.cancel();
    c.status = RunState::kExited;
    save(*entry);
    publish(*entry, "stop");
    return done(Unit{});
  }
  if (!is_running(c)) return done(Unit{});
  save(*entry);
  auto signal = parse_signal(signal_text.empty() ? c.config.stop_signal : signal_text);
  if (!signal.ok()) return done(std::move(signal).error());
  if (c.status == RunState::kPaused)
    (void)services.runtime.resume(run_dir(id));  // a frozen process cannot end
  entry->stopping = true;
  entry->when_stopped.emplace_back([done] { done(Unit{}); });
  const int seconds = stop_timeout(c, timeout);
  const int first = seconds == 0 ? SIGKILL : *signal;
  publish(*entry, "kill", {{"signal", std::to_string(first)}});
  const Status sent = runtime::signal(run_dir(id), first);
  if (!sent.ok())
    log_debug("stopping {}: {}", c.name,
              sent.error().to_string());  // it is ending by itself: the watch tells
  if (seconds > 0) {
    entry->kill_timer = services.loop.after(std::chrono::seconds(seconds), [this, id] {
      Entry* same = get(id);
      if (same == nullptr || !is_running(same->c)) return;
      publish(*same, "kill", {{"signal", "9"}});
      (void)runtime::signal(run_dir(id), SIGKILL);
    });
  }
}

void Containers::start(const std::string& name_or_id, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  impl_->enqueue((*found)->c.id,
                 [this, id = (*found)->c.id, done = std::move(done)](Entry::Finished finished) {
                   Entry* entry = impl_->get(id);
                   entry->restarts = {};
                   entry->c.restart_count = 0;
                   impl_->start(entry, [done, finished](Result<Unit> result) {
                     done(std::move(result));
                     finished();
                   });
                 });
}

void Containers::stop(const std::string& name_or_id, std::optional<int> timeout, std::string signal,
                      Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  impl_->enqueue((*found)->c.id, [this, id = (*found)->c.id, timeout, signal = std::move(signal),
                                  done = std::move(done)](Entry::Finished finished) {
    impl_->stop(impl_->get(id), timeout, signal, [done, finished](Result<Unit> result) {
      done(std::move(result));
      finished();
    });
  });
}

void Containers::restart(const std::string& name_or_id, std::optional<int> timeout,
                         std::string signal, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  impl_->enqueue((*found)->c.id, [this, id = (*found)->c.id, timeout, signal = std::move(signal),
                                  done = std::move(done)](Entry::Finished finished) {
    impl_->stop(impl_->get(id), timeout, signal, [this, id, done, finished](Result<Unit> stopped) {
      Entry* entry = impl_->get(id);
      if (!stopped.ok() || entry == nullptr) {
        done(std::move(stopped));
        return finished();
      }
      impl_->start(entry, [this, id, done, finished](Result<Unit> started) {
        if (started.ok()) impl_->publish(*impl_->get(id), "restart");
        done(std::move(started));
        finished();
      });
    });
  });
}

void Containers::kill(const std::string& name_or_id, const std::string& signal_text,
                      Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  Entry* entry = *found;
  auto signal = parse_signal(signal_text.empty() ? "SIGKILL" : signal_text);
  if (!signal.ok()) return done(std::move(signal).error());
  if (entry->c.status == RunState::kRestarting) {
    return impl_->stop(entry, 0, "SIGKILL", std::move(done));
  }
  if (!is_running(entry->c))
    return done(Error::conflict("cannot kill container: " + name_or_id + ": container " +
                                entry->c.id + " is not running"));
  // What ends a container by command is a stop: no restart policy revives it. Signals that a
  // program handles and survives (HUP, WINCH) are not.
  if (*signal != SIGHUP && *signal != SIGWINCH && *signal != SIGCONT && *signal != SIGCHLD) {
    entry->c.manually_stopped = true;
    impl_->save(*entry);
  }
  if (entry->c.status == RunState::kPaused && *signal == SIGKILL)
    (void)impl_->services.runtime.resume(impl_->run_dir(entry->c.id));
  impl_->publish(*entry, "kill", {{"signal", std::to_string(*signal)}});
  Status sent = runtime::signal(impl_->run_dir(entry->c.id), *signal);
  if (!sent.ok() && sent.error().kind != ErrorKind::kNotFound) return done(std::move(sent).error());
  done(Unit{});
}

void Containers::pause(const std::string& name_or_id, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  Entry* entry = *found;
  if (entry->c.status == RunState::kPaused)
    return done(Error::conflict("container " + entry->c.id + " is already paused"));
  if (entry->c.status != RunState::kRunning)
    return done(Error::conflict("container " + entry->c.id + " is not running"));
  Status paused = impl_->services.runtime.pause(impl_->run_dir(entry->c.id));
  if (!paused.ok()) return done(std::move(paused).error());
  entry->c.status = RunState::kPaused;
  impl_->save(*entry);
  impl_->publish(*entry, "pause");
  done(Unit{});
}

void Containers::unpause(const std::string& name_or_id, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  Entry* entry = *found;
  if (entry->c.status != RunState::kPaused)
    return done(Error::conflict("container " + entry->c.id + " is not paused"));
  Status resumed = impl_->services.runtime.resume(impl_->run_dir(entry->c.id));
  if (!resumed.ok()) return done(std::move(resumed).error());
  entry->c.status = RunState::kRunning;
  impl_->save(*entry);
  impl_->publish(*entry, "unpause");
  done(Unit{});
}

// After a restart of the engine: what the record says and what is there may differ in both
// directions.
void Containers::Impl::adopt(Entry* entry) {
  Container& c = entry->c;
  const std::string id = c.id;
  auto running = runtime::adopt(run_dir(id));
  const bool was_live = is_running(c) || c.status == RunState::kRestarting;
  if (running.ok()) {
    ++entry->generation;
    if (c.status != RunState::kPaused) c.status = RunState::kRunning;
    c.pid = running->init.pid;
    if (!c.started_at) c.started_at = services.clock.wall();
    entry->started = services.clock.now() - (services.clock.wall() - *c.started_at);
    entry->shim_pidfd = std::move(running->shim_pidfd);
    entry->exit_watch = services.loop.on_readable(
        entry->shim_pidfd.get(),
        [this, id, generation = entry->generation] { on_shim_exit(id, generation); });
    for (const auto& endpoint : c.endpoints) services.networks->retain(endpoint);
    if (!c.endpoints.empty() || c.config.network_mode == "none") {
      auto netns = netd::namespace_of(c.pid);
      if (netns.ok()) {
        register_names(entry, std::move(netns).value(), [](const Status&) {});
        const auto ports = published_ports(*entry);
        if (!ports.empty()) services.netd.set_published(id, ports);
      }
    }
    entry->restarts.count = c.restart_count;
    start_health(entry, true);
    save(*entry);
    return;
  }
  auto record = runtime::read_exit(run_dir(id));
  const bool left_over = stack::exists(run_dir(id));
  if (!was_live && !left_over) {
    if (c.status == RunState::kRemoving) c.status = RunState::kDead;
    return;
  }
  // It ended while nobody looked, or it was killed in the middle of its start.
  runtime::ExitRecord exit;
  exit.code = was_live ? 137 : c.exit_code;
  exit.finished = services.clock.wall();
  if (record.ok() && record->has_value()) exit = **record;
  const bool restarting = c.status == RunState::kRestarting;
  entry->busy = true;
  if (restarting) exit.code = c.exit_code;
  ended(entry, exit.code, exit.oom_killed, exit.finished, [this, id, was_live] {
    Entry* same = get(id);
    same->busy = false;
    if (!same->c.started_at) same->c.status = RunState::kCreated;
    if (was_live && same->c.started_at) apply_restart_policy(same);
    run_next(id);
  });
}

}  // namespace stack::engine
