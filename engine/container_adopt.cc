// Finding the containers again after a restart of the engine.

#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_endpoints.h"
#include "engine/containers_impl.h"
#include "engine/model_json.h"
#include "engine/networks.h"
#include "engine/state_store.h"
#include "netd/client.h"
#include "netd/endpoint.h"

namespace stack::engine {

namespace {

// How long a process has been there, by the clock that its start time is of: proc(5), starttime.
Duration age_of(const ProcessId& process) {
  timespec now{};
  (void)::clock_gettime(CLOCK_BOOTTIME, &now);  // cannot fail: the clock exists since Linux 2.6.39
  const Duration since_boot =
      std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  const auto ticks = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const Duration started = std::chrono::nanoseconds(process.start_time * (1'000'000'000 / ticks));
  return std::max(since_boot - started, Duration{0});
}

}  // namespace

// After a restart of the engine: what the record says and what is there may differ in both
// directions.
void Containers::Impl::adopt(Entry* entry) {
  Container& c = entry->c;
  const std::string id = c.id;
  auto running = runtime::adopt(run_dir(id));
  const bool was_live = is_up(c.status) || c.status == RunState::kRestarting;
  if (running.ok()) {
    ++entry->generation;
    if (c.status != RunState::kPaused) c.status = RunState::kRunning;
    c.pid = running->init.pid;
    if (!c.started_at) c.started_at = services.clock.wall();
    entry->started = services.clock.now() - age_of(running->init);
    entry->shim_pidfd = std::move(running->shim_pidfd);
    watch_exit(entry);
    for (const auto& endpoint : c.endpoints) services.networks->retain(endpoint);
    if (!c.endpoints.empty() || c.config.network_mode == "none") {
      auto netns = netd::namespace_of(c.pid);
      if (netns.ok()) {
        register_names(entry, std::move(netns).value(), [](const Status&) {});
        const auto ports = published_ports(c);
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
  const bool removing = c.status == RunState::kRemoving;
  if (!was_live && !left_over) {
    if (removing) finish_removal(entry);
    const bool holds = !c.ports.empty() ||
                       std::any_of(c.endpoints.begin(), c.endpoints.end(), [](const Endpoint& e) {
                         return !e.ipv4.empty() || !e.ipv6.empty();
                       });
    if (holds) {  // given out for a start that never came
      release(entry);
      save(*entry);
    }
    return;
  }
  // It ended while nobody looked, or it was killed in the middle of its start.
  runtime::ExitRecord exit;
  exit.code = 137;
  exit.finished = services.clock.wall();
  if (!is_up(c.status)) exit.code = c.exit_code;
  if (c.exit_seen && c.finished_at) exit = {c.exit_code, 0, c.oom_killed, *c.finished_at};
  if (record.ok() && record->has_value()) exit = **record;
  entry->busy = true;
  ended(entry, exit.code, exit.oom_killed, exit.finished, [this, id, was_live, removing] {
    Entry* same = get(id);
    same->busy = false;
    if (!same->c.started_at) same->c.status = RunState::kCreated;
    if (removing) return finish_removal(same);
    if (was_live && same->c.started_at) {
      // Both moments were taken by clocks on the wall, between which the clock may have been set.
      apply_restart_policy(same, std::max(*same->c.finished_at - *same->c.started_at, Duration{0}));
    } else {
      save(*same);
    }
    run_next(id);
  });
}

// An engine has died while it took the container away; a part of its files may be gone. Anonymous
// volumes stay: nobody knows any more whether they were to go.
void Containers::Impl::finish_removal(Entry* entry) {
  entry->c.status = RunState::kDead;
  save(*entry);
  services.loop.post([this, id = entry->c.id] {
    services.containers->remove(id, {}, [id](Result<Unit> removed) {
      if (!removed.ok()) log_warning("removing {}: {}", id, removed.error().to_string());
    });
  });
}

// After a boot nothing of a container is left but its record and its files. True when it is a
// project's and comes back.
bool Containers::Impl::adopt_after_boot(Entry* entry) {
  Container& c = entry->c;
  if (stack::exists(run_dir(c.id))) return false;  // no boot was that: somebody removed our mark
  const bool was_live = is_up(c.status) || c.status == RunState::kRestarting;
  if (was_live) {
    if (c.status != RunState::kRestarting) {
      c.exit_code = 137;
      c.finished_at = services.clock.wall();
    }
    c.status = c.started_at ? RunState::kExited : RunState::kCreated;
    c.pid = 0;
    c.health = {};
  }
  release(entry);
  save(*entry);
  const bool returns =
      scheduler::restart_at_boot(restart_policy_of(c), c.exit_code, c.manually_stopped, was_live);
  if (!returns || !c.started_at) return false;
  if (c.config.labels.count("com.docker.compose.project") != 0) return true;
  services.loop.post([this, id = c.id] {
    services.containers->start(id, [id](Result<Unit> started) {
      if (!started.ok()) log_warning("starting {}: {}", id, started.error().to_string());
    });
  });
  return false;
}

std::vector<std::string> Containers::adopt(bool after_boot) {
  auto records = impl_->services.state.all("container");
  if (!records.ok()) {
    log_error("reading containers: {}", records.error().to_string());
    return {};
  }
  for (const auto& [id, text] : *records) {
    auto container = parse_container_record(text);
    if (!container.ok()) {
      log_error("container {}: {}", id, container.error().to_string());
      continue;
    }
    auto entry = std::make_unique<Entry>();
    entry->c = std::move(container).value();
    impl_->ids_by_name[entry->c.name] = id;
    impl_->entries.emplace(id, std::move(entry));
  }
  std::vector<std::string> returning;
  for (const auto& [id, entry] : impl_->entries) {
    if (after_boot && impl_->adopt_after_boot(entry.get())) {
      returning.push_back(id);
    } else {
      impl_->adopt(entry.get());
    }
  }
  // A directory without a record is what a crash between the two left.
  std::error_code ec;
  for (const auto& item :
       std::filesystem::directory_iterator(impl_->services.paths.root / "containers", ec)) {
    if (impl_->get(item.path().filename().string()) == nullptr) (void)remove_tree(item.path());
  }
  return returning;
}

}  // namespace stack::engine
