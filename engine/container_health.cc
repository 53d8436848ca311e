// Health checks: Docker's state machine (scheduler/health.h) fed by real probes, and restarts of
// unhealthy services.

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/files.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/containers_impl.h"

namespace stack::engine {

namespace {

// Compose's labels mark the containers that belong to a service; others keep Docker's behaviour:
// unhealthy is only shown.
constexpr const char* kProjectLabel = "com.docker.compose.project";
constexpr const char* kOnUnhealthyLabel = "io.stack.on-unhealthy";

void show(Entry* entry) {
  const auto& state = entry->health->state();
  entry->c.health = {state.status, state.streak, state.log};
}

std::vector<std::string> probe_command(const ContainerConfig& config) {
  const auto& test = config.healthcheck->test;
  if (test.front() == "CMD") return {test.begin() + 1, test.end()};
  return {"/bin/sh", "-c", test.size() > 1 ? test[1] : std::string()};
}

bool has_healthcheck(const ContainerConfig& config) {
  return config.healthcheck && config.healthcheck->test.size() > 1 &&
         config.healthcheck->test.front() != "NONE";
}

bool is_native(const ContainerConfig& config) {
  return config.healthcheck->test.front() == "PROBE";
}

// Appends what can be read without waiting; false at the end of the stream.
bool read_available(int fd, std::string* output) {
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    // One byte more than is kept shows the state machine that something was cut.
    const std::size_t room = scheduler::kHealthOutputBytes + 1 -
                             std::min(output->size(), scheduler::kHealthOutputBytes + 1);
    output->append(buffer, std::min(room, static_cast<std::size_t>(n)));
  }
}

}  // namespace

Containers::Impl::Impl(Services& shared)
    : services(shared),
      own_netns(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)),
      probe_pool(shared.loop, 1) {}

void Containers::Impl::start_health(Entry* entry, bool resume) {
  Container& c = entry->c;
  if (!resume) c.health = {};
  if (!has_healthcheck(c.config)) {
    c.health.status = HealthStatus::kNone;
    return;
  }
  const HealthcheckConfig& from = *c.config.healthcheck;
  const scheduler::HealthConfig config{from.interval,       from.timeout, from.start_period,
                                       from.start_interval, from.retries, is_native(c.config)};
  if (resume && c.health.status != HealthStatus::kNone) {
    scheduler::HealthState state;
    state.status = c.health.status;
    state.streak = c.health.failing_streak;
    state.log = c.health.log;
    state.started = entry->started;
    entry->health = std::make_unique<scheduler::HealthMonitor>(config, std::move(state));
  } else {
    entry->health = std::make_unique<scheduler::HealthMonitor>(config);
    entry->health->started(services.clock.now());
  }
  show(entry);
  schedule_probe(entry);
}

void Containers::Impl::stop_health(Entry* entry) {
  entry->health_timer.cancel();
  entry->native_probe.reset();
  if (entry->probe) {
    (void)send_signal(entry->probe->exec.shim_pidfd.get(), SIGKILL);
    (void)reap(entry->probe->exec.shim_pidfd.get(), true);
    entry->probe.reset();
  }
  if (entry->health) {
    entry->health->stopped();
    show(entry);
    entry->health.reset();
  }
}

void Containers::Impl::schedule_probe(Entry* entry) {
  const auto next = entry->health->next_probe();
  if (!next) return;
  const std::string id = entry->c.id;
  const auto delay = std::max(*next - services.clock.now(), TimePoint::duration{0});
  entry->health_timer = services.loop.after(delay, [this, id, generation = entry->generation] {
    Entry* same = get(id);
    if (same == nullptr || same->generation != generation || !same->health) return;
    if (same->c.status == RunState::kPaused) {
      // A frozen container cannot answer; look again later, as if the probe had not been due.
      same->health_timer = services.loop.after(std::chrono::seconds(1), [this, id] {
        if (Entry* again = get(id); again != nullptr && again->health) schedule_probe(again);
      });
      return;
    }
    begin_probe(same);
  });
}

void Containers::Impl::begin_probe(Entry* entry) {
  entry->health->probe_begun(services.clock.now());
  if (is_native(entry->c.config)) return begin_native_probe(entry);
  const std::string id = entry->c.id;
  const std::uint64_t generation = entry->generation;
  runtime::ExecRequest request;
  request.id = id;
  request.run_dir = run_dir(id);
  request.args = probe_command(entry->c.config);
  const WallTime begun = services.clock.wall();
  services.pool.run(
      [this, request] { return services.runtime.exec(request); },
      [this, id, generation, begun](Result<runtime::RunningExec> started) {
        Entry* same = get(id);
        if (same == nullptr || same->generation != generation || !same->health) {
          if (started.ok()) {
            (void)send_signal(started->shim_pidfd.get(), SIGKILL);
            (void)reap(started->shim_pidfd.get(), true);
          }
          return;
        }
        if (!started.ok()) {
          return finish_probe(id, generation,
                              {begun, services.clock.wall(), -1, started.error().message});
        }
        auto probe = std::make_unique<HealthProbe>();
        probe->exec_id = random_hex(64);
        publish_exec(*same, "exec_create", probe_command(same->c.config), probe->exec_id);
        publish_exec(*same, "exec_start", probe_command(same->c.config), probe->exec_id);
        probe->exec = std::move(started).value();
        probe->begun = begun;
        const auto follow = [&](const Fd& fd, EventLoop::Watch HealthProbe::*watch) {
          if (!fd) return;
          ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
          probe.get()->*watch =
              services.loop.on_readable(fd.get(), [this, id, generation, raw = fd.get(), watch] {
                Entry* now = get(id);
                if (now == nullptr || now->generation != generation || !now->probe) return;
                if (!read_available(raw, &now->probe->output)) (now->probe.get()->*watch).cancel();
              });
        };
        follow(probe->exec.out, &HealthProbe::out_watch);
        follow(probe->exec.err, &HealthProbe::err_watch);
        probe->exit_watch = services.loop.on_readable(probe->exec.shim_pidfd.get(), [this, id,
                                                                                     generation] {
          Entry* now = get(id);
          if (now == nullptr || now->generation != generation || !now->probe) return;
          HealthProbe& p = *now->probe;
          auto status = reap(p.exec.shim_pidfd.get(), false);
          if (p.exec.out) read_available(p.exec.out.get(), &p.output);
          if (p.exec.err) read_available(p.exec.err.get(), &p.output);
          scheduler::ProbeResult result{p.begun, services.clock.wall(), -1, std::move(p.output)};
          if (status.ok() && status->has_value()) result.exit_code = (*status)->code;
          if (p.timed_out)
            result = scheduler::timed_out_probe(p.begun, services.clock.wall(),
                                                now->health->config().timeout);
          publish(*now, "exec_die",
                  {{"execID", p.exec_id}, {"exitCode", std::to_string(result.exit_code)}});
          now->probe.reset();
          finish_probe(id, generation, std::move(result));
        });
        probe->timeout =
            services.loop.after(same->health->config().timeout, [this, id, generation] {
              Entry* now = get(id);
              if (now == nullptr || now->generation != generation || !now->probe) return;
              now->probe->timed_out = true;
              // The whole tree of the probe: it leads a session and a process group of its own.
              auto process = open_process(now->probe->exec.process);
              if (process.ok()) ::kill(-now->probe->exec.process.pid, SIGKILL);
              if (process.ok()) (void)send_signal(process->get(), SIGKILL);
            });
        same->probe = std::move(probe);
      });
}

void Containers::Impl::begin_native_probe(Entry* entry) {
  const std::string id = entry->c.id;
  const std::uint64_t generation = entry->generation;
  const WallTime begun = services.clock.wall();
  const auto finish = [this, id, generation, begun](int exit_code, std::string output) {
    finish_probe(id, generation, {begun, services.clock.wall(), exit_code, std::move(output)});
  };
  auto target = parse_probe(entry->c.config.healthcheck->test[1]);
  if (!target.ok()) return finish(-1, target.error().message);
  probe_pool.run(
      [target = *target, pid = entry->c.pid, own = own_netns.get()] {
        return connect_probe(target, pid, own);
      },
      [this, id, generation, begun, finish, target = *target](Result<Fd> socket) {
        Entry* same = get(id);
        if (same == nullptr || same->generation != generation || !same->health) return;
        if (!socket.ok()) return finish(1, socket.error().message);
        const Duration timeout = same->health->timeout_at(services.clock.now());
        same->native_probe = std::make_unique<NativeProbe>(
            services.loop, std::move(socket).value(), target, [finish](ProbeVerdict verdict) {
              finish(verdict.exit_code, std::move(verdict.output));
            });
        same->health_timer = services.loop.after(timeout, [this, id, generation, begun, timeout] {
          if (Entry* now = get(id); now != nullptr && now->generation == generation) {
            finish_probe(id, generation,
                         scheduler::timed_out_probe(begun, services.clock.wall(), timeout));
          }
        });
      });
}

void Containers::Impl::finish_probe(const std::string& id, std::uint64_t generation,
                                    scheduler::ProbeResult result) {
  Entry* entry = get(id);
  if (entry == nullptr || entry->generation != generation || !entry->health) return;
  entry->native_probe.reset();
  const bool changed = entry->health->probe_finished(services.clock.now(), std::move(result));
  show(entry);
  if (changed) {
    save(*entry);
    publish(*entry, fmt::format("health_status: {}", to_string(entry->c.health.status)));
  }
  schedule_probe(entry);
  if (changed && entry->c.health.status == HealthStatus::kUnhealthy) on_unhealthy(entry);
}

void Containers::Impl::on_unhealthy(Entry* entry) {
  const Container& c = entry->c;
  if (c.config.labels.count(kProjectLabel) == 0) return;
  const auto label = c.config.labels.find(kOnUnhealthyLabel);
  const Duration ran = services.clock.now() - entry->started;
  const auto decision = scheduler::decide_unhealthy(
      restart_policy_of(c), label == c.config.labels.end() ? "" : label->second, entry->restarts,
      ran);
  if (!decision.restart) {
    entry->c.restart_reason = decision.reason;
    save(*entry);
    return;
  }
  const std::string id = c.id;
  log_info("container {} is unhealthy and will be restarted", c.name);
  remember(*entry, "restart", decision.reason);
  enqueue(id, [this, id, decision](Entry::Finished finished) {
    Entry* same = get(id);
    // It may have recovered, ended, or been stopped by a user before its turn came.
    if (same->c.health.status != HealthStatus::kUnhealthy || !is_up(same->c.status) ||
        same->c.manually_stopped)
      return finished();
    const auto restart = [this, id, decision, finished](Result<Unit>) {
      if (Entry* stopped = get(id)) schedule_restart(stopped, decision);
      finished();
    };
    stop(same, std::nullopt, "", restart, false);
  });
}

}  // namespace stack::engine
