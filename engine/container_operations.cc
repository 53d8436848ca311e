// What a client may ask of a container: start, stop, restart, kill, pause. Each is put into the
// container's queue, or done at once when it changes nothing that the queue protects.

#include <signal.h>

#include "base/log.h"
#include "base/signals.h"
#include "engine/container_config.h"
#include "engine/containers_impl.h"

namespace stack::engine {

void Containers::start(const std::string& name_or_id, Done<Unit> done) {
  impl_->start_in_turn(name_or_id, false, std::move(done));
}

void Containers::start_standby(const std::string& name_or_id, Done<Unit> done) {
  impl_->start_in_turn(name_or_id, true, std::move(done));
}

void Containers::Impl::start_in_turn(const std::string& name_or_id, bool standby, Done<Unit> done) {
  auto found = find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  const auto operation = [this, id, standby, done](Entry::Finished finished) {
    Entry* entry = get(id);
    if (!is_up(entry->c.status)) entry->c.standby = standby;
    entry->restarts = {};
    entry->c.restart_count = 0;
    start(entry, [done, finished](Result<Unit> result) {
      done(std::move(result));
      finished();
    });
  };
  enqueue(id, operation, no_such_container(id, std::move(done)));
}

void Containers::stop(const std::string& name_or_id, std::optional<int> timeout, std::string signal,
                      Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  const auto operation = [this, id, timeout, signal = std::move(signal),
                          done](Entry::Finished finished) {
    impl_->stop(impl_->get(id), timeout, signal, [done, finished](Result<Unit> result) {
      done(std::move(result));
      finished();
    });
  };
  impl_->enqueue(id, operation, Impl::no_such_container(id, std::move(done)));
}

void Containers::restart(const std::string& name_or_id, std::optional<int> timeout,
                         std::string signal, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  const auto operation = [this, id, timeout, signal = std::move(signal),
                          done](Entry::Finished finished) {
    impl_->get(id)->restarting_by_hand = true;
    impl_->stop(impl_->get(id), timeout, signal, [this, id, done, finished](Result<Unit> stopped) {
      Entry* entry = impl_->get(id);
      if (entry != nullptr) entry->restarting_by_hand = false;
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
  };
  impl_->enqueue(id, operation, Impl::no_such_container(id, std::move(done)));
}

void Containers::kill(const std::string& name_or_id, const std::string& signal_text,
                      Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  Entry* entry = *found;
  auto signal = parse_signal(signal_text.empty() ? "SIGKILL" : signal_text);
  if (!signal.ok()) {
    return done(
        Error::invalid("cannot kill container: " + name_or_id + ": " + signal.error().message));
  }
  if (entry->c.status == RunState::kRestarting) {
    return impl_->stop(entry, 0, "SIGKILL", std::move(done));
  }
  if (!is_up(entry->c.status))
    return done(Error::conflict("cannot kill container: " + name_or_id + ": container " +
                                entry->c.id + " is not running"));
  // What ends a container by command is a stop: no restart policy revives it. Signals that a
  // program handles and survives (HUP, WINCH) are not.
  if (*signal != SIGHUP && *signal != SIGWINCH && *signal != SIGCONT && *signal != SIGCHLD) {
    entry->c.manually_stopped = true;
    impl_->save(*entry);
  }
  impl_->publish(*entry, "kill", {{"signal", std::to_string(*signal)}});
  Status sent = runtime::signal(impl_->run_dir(entry->c.id), *signal);
  if (!sent.ok() && sent.error().kind != ErrorKind::kNotFound) return done(std::move(sent).error());
  if (*signal != SIGKILL) return done(Unit{});
  if (entry->c.status == RunState::kPaused) impl_->thaw(entry->c.id);
  // As Docker answers: when it has ended, so that it can be removed at once.
  entry->when_stopped.emplace_back([done = std::move(done)] { done(Unit{}); });
}

void Containers::Impl::thaw(const std::string& id) {
  services.pool.run([this, place = run_dir(id)] { return services.runtime.resume(place); },
                    [id](const Status& resumed) {
                      if (!resumed.ok())
                        log_debug("thawing {}: {}", id, resumed.error().to_string());
                    });
}

// Freezing waits for the kernel: on the pool, and in the container's queue.
void Containers::Impl::change_freeze(const std::string& name_or_id, RunState to, Done<Unit> done) {
  auto found = find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  const auto operation = [this, id, to, done](const Entry::Finished& finished) {
    const bool pause = to == RunState::kPaused;
    const Entry* entry = get(id);
    const auto refuse = [&](const std::string& message) {
      done(Error::conflict(message));
      finished();
    };
    if (pause && entry->c.status == RunState::kPaused)
      return refuse("Container " + id + " is already paused");
    if (pause && entry->c.status != RunState::kRunning)
      return refuse("container " + id + " is not running");
    if (!pause && entry->c.status != RunState::kPaused)
      return refuse("Container " + id + " is not paused");
    services.pool.run(
        [this, pause, place = run_dir(id)] {
          return pause ? services.runtime.pause(place) : services.runtime.resume(place);
        },
        [this, id, to, done, finished, generation = entry->generation](Status changed) {
          Entry* same = get(id);
          const bool lives =
              same != nullptr && same->generation == generation && is_up(same->c.status);
          if (changed.ok() && lives) {
            same->c.status = to;
            save(*same);
            publish(*same, to == RunState::kPaused ? "pause" : "unpause");
            done(Unit{});
          } else if (changed.ok()) {
            done(Error::conflict("container " + id + " is not running"));
          } else {
            done(std::move(changed).error());
          }
          finished();
        });
  };
  enqueue(id, operation, no_such_container(id, done));
}

void Containers::pause(const std::string& name_or_id, Done<Unit> done) {
  impl_->change_freeze(name_or_id, RunState::kPaused, std::move(done));
}

void Containers::unpause(const std::string& name_or_id, Done<Unit> done) {
  impl_->change_freeze(name_or_id, RunState::kRunning, std::move(done));
}

}  // namespace stack::engine
