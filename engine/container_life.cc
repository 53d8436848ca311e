// Start, end and restart.

#include <signal.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "base/signals.h"
#include "engine/container_config.h"
#include "engine/container_endpoints.h"
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

int stop_timeout(const Container& c, std::optional<int> asked) {
  return asked.value_or(c.config.stop_timeout.value_or(10));
}

}  // namespace

void Containers::Impl::remove_after_failed_start(const Entry& entry) {
  if (!entry.c.config.auto_remove) return;
  services.loop.post([this, id = entry.c.id] {
    if (get(id) != nullptr) services.containers->remove(id, {true, true}, [](Result<Unit>) {});
  });
}

scheduler::RestartPolicy restart_policy_of(const Container& c) {
  std::string text = c.config.restart_policy;
  if (text == "on-failure" && c.config.restart_max_retries > 0)
    text += ":" + std::to_string(c.config.restart_max_retries);
  auto policy = scheduler::parse_restart_policy(text);
  if (!policy.ok()) return {};  // checked when it was created
  if (const auto label = c.config.labels.find(scheduler::kRestartLabel);
      label != c.config.labels.end())
    scheduler::apply_restart_label(label->second, &*policy);
  return *policy;
}

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
  Status prepared = prepare(entry, job.get());
  // Addresses and ports are written down before anything has them: whoever finds the container
  // running after our death must know what it holds.
  if (prepared.ok()) prepared = write(*entry);
  if (!prepared.ok()) {
    release(entry);
    c.error = prepared.error().message;
    c.exit_code = 128;
    save(*entry);
    remove_after_failed_start(*entry);
    return done(std::move(prepared).error());
  }
  for (auto& client : entry->pending_clients) {
    job->clients.push_back(
        {std::move(client.socket),
         {client.options.stdin_, client.options.stdout_, client.options.stderr_}});
  }
  entry->pending_clients.clear();
  const std::string id = c.id;

  const auto failed = [this, id, done](Error error) {
    Entry* same = get(id);
    if (same != nullptr) {
      release(same);
      unmount_unused_volumes(same->c);
      same->c.status = same->c.started_at ? RunState::kExited : RunState::kCreated;
      same->c.error = error.message;
      same->c.exit_code = runtime::start_exit_code(error.message);
      save(*same);
      remove_after_failed_start(*same);
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
  c.exit_seen = false;
  c.oom_killed = false;
  c.error.clear();
  c.started_at = services.clock.wall();
  entry->started = services.clock.now();
  entry->shim_pidfd = std::move(running.shim_pidfd);
  watch_exit(entry);
  save(*entry);
  publish_attachments(*entry, true);
  refresh_links(*entry);
  start_health(entry, false);
  publish(*entry, "start");
}

void Containers::Impl::watch_exit(Entry* entry) {
  entry->exit_watch = services.loop.on_readable(
      entry->shim_pidfd.get(),
      [this, id = entry->c.id, generation = entry->generation] { on_shim_exit(id, generation); });
}

void Containers::Impl::publish_attachment(const Container& c, const Endpoint& endpoint,
                                          bool begins) {
  services.events.publish(
      {"network",
       begins ? "connect" : "disconnect",
       endpoint.network_id,
       {{"container", c.id}, {"name", endpoint.network_name}, {"type", "bridge"}},
       services.clock.wall()});
}

// The networks and volumes that a container begins or ceases to use.
void Containers::Impl::publish_attachments(const Entry& entry, bool begins) {
  const Container& c = entry.c;
  const WallTime now = services.clock.wall();
  for (const auto& endpoint : c.endpoints) publish_attachment(c, endpoint, begins);
  for (const auto& mount : c.mounts) {
    if (mount.config.type != "volume") continue;
    std::map<std::string, std::string> attributes = {
        {"container", c.id},
        {"driver", mount.config.volume_driver.empty() ? "local" : mount.config.volume_driver}};
    if (begins) {
      attributes["destination"] = mount.config.target;
      attributes["propagation"] = mount.config.propagation;
      attributes["read/write"] = mount.config.read_only ? "false" : "true";
    }
    services.events.publish(
        {"volume", begins ? "mount" : "unmount", mount.volume, std::move(attributes), now});
  }
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
    apply_restart_policy(same, services.clock.now() - same->started);
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
  const auto ports = published_ports(c);
  forget_senders_of(c);
  entry->ending = true;
  c.exit_code = exit_code;
  c.oom_killed = oom_killed;
  c.finished_at = finished;
  c.exit_seen = true;
  save(*entry);  // the run directory goes now, and with it what the shim has written down
  c.status = RunState::kExited;
  c.pid = 0;
  const auto ran =
      c.started_at
          ? std::chrono::duration_cast<std::chrono::seconds>(finished - *c.started_at).count()
          : 0;
  services.netd.remove_container(c.id);
  const std::string id = c.id;
  const auto shm = c.config.ipc_mode == "shareable" ? shm_of(c) : std::filesystem::path();
  services.pool.run(
      [this, id, ports, shm] { return clean_up(services.runtime, id, run_dir(id), ports, shm); },
      [this, id, ran, then = std::move(then)](Status cleaned) {
        Entry* same = get(id);
        if (same == nullptr) return;
        same->ending = false;
        if (!cleaned.ok())
          log_warning("cleaning up after container {}: {}", same->c.name,
                      cleaned.error().to_string());
        publish_attachments(*same, false);
        release(same);
        refresh_links(*same);
        unmount_unused_volumes(same->c);
        if (same->c.oom_killed) publish(*same, "oom");
        if (std::exchange(same->stopping, false)) publish(*same, "stop");
        publish(*same, "die",
                {{"exitCode", std::to_string(same->c.exit_code)},
                 {"execDuration", std::to_string(ran)}});
        notify_waiters(same, WaitCondition::kNextExit);
        then();
      });
}

void Containers::Impl::apply_restart_policy(Entry* entry, Duration ran) {
  Container& c = entry->c;
  const std::string id = c.id;
  const scheduler::ContainerExit exit{c.exit_code, ran, c.manually_stopped};
  const auto decision = scheduler::decide_exit(restart_policy_of(c), entry->restarts, exit);
  c.restart_reason = decision.reason;
  remember(*entry, decision.restart ? "restart" : "stay down", decision.reason);
  if (!decision.restart) {
    save(*entry);
    if (c.config.auto_remove && c.status == RunState::kExited && !entry->restarting_by_hand) {
      services.loop.post([this, id] {
        if (get(id) != nullptr) services.containers->remove(id, {true, true}, [](Result<Unit>) {});
      });
    }
    return;
  }
  schedule_restart(entry, decision);
}

void Containers::Impl::schedule_restart(Entry* entry, const scheduler::RestartDecision& decision) {
  Container& c = entry->c;
  const std::string id = c.id;
  c.restart_reason = decision.reason;
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
          if (!again->c.manually_stopped) apply_restart_policy(again, Duration{0});
        }
        finished();
      });
    });
  });
}

void Containers::Impl::stop(Entry* entry, std::optional<int> timeout,
                            const std::string& signal_text, Done<Unit> done, bool by_user) {
  Container& c = entry->c;
  const std::string id = c.id;
  if (by_user) c.manually_stopped = true;
  if (c.status == RunState::kRestarting) {
    entry->restart_timer.cancel();
    c.status = RunState::kExited;
    save(*entry);
    publish(*entry, "stop");
    return done(Unit{});
  }
  if (!is_up(c.status)) return done(Unit{});
  save(*entry);
  auto signal = parse_signal(signal_text.empty() ? c.config.stop_signal : signal_text);
  if (!signal.ok())
    return done(Error::invalid("cannot stop container: " + id + ": " + signal.error().message));
  const bool frozen = c.status == RunState::kPaused;
  entry->stopping = true;
  entry->when_stopped.emplace_back([done] { done(Unit{}); });
  const int seconds = stop_timeout(c, timeout);
  const int first = seconds == 0 ? SIGKILL : *signal;
  publish(*entry, "kill", {{"signal", std::to_string(first)}});
  const Status sent = runtime::signal(run_dir(id), first);
  if (!sent.ok())
    log_debug("stopping {}: {}", c.name,
              sent.error().to_string());  // it is ending by itself: the watch tells
  if (frozen) thaw(id);                   // a frozen process cannot end
  if (seconds > 0) {
    entry->kill_timer = services.loop.after(std::chrono::seconds(seconds), [this, id] {
      Entry* same = get(id);
      if (same == nullptr || !is_up(same->c.status)) return;
      publish(*same, "kill", {{"signal", "9"}});
      (void)runtime::signal(run_dir(id), SIGKILL);
    });
  }
}

}  // namespace stack::engine
