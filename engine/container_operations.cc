// What a client may ask of a container: start, stop, restart, kill, pause. Each is put into the
// container's queue, or done at once when it changes nothing that the queue protects.

#include <signal.h>

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
  if (entry->c.status == RunState::kPaused && *signal == SIGKILL)
    (void)impl_->services.runtime.resume(impl_->run_dir(entry->c.id));
  impl_->publish(*entry, "kill", {{"signal", std::to_string(*signal)}});
  Status sent = runtime::signal(impl_->run_dir(entry->c.id), *signal);
  if (!sent.ok() && sent.error().kind != ErrorKind::kNotFound) return done(std::move(sent).error());
  if (*signal != SIGKILL) return done(Unit{});
  // As Docker answers: when it has ended, so that it can be removed at once.
  entry->when_stopped.emplace_back([done = std::move(done)] { done(Unit{}); });
}

void Containers::pause(const std::string& name_or_id, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  Entry* entry = *found;
  if (entry->c.status == RunState::kPaused)
    return done(Error::conflict("Container " + entry->c.id + " is already paused"));
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
    return done(Error::conflict("Container " + entry->c.id + " is not paused"));
  Status resumed = impl_->services.runtime.resume(impl_->run_dir(entry->c.id));
  if (!resumed.ok()) return done(std::move(resumed).error());
  entry->c.status = RunState::kRunning;
  impl_->save(*entry);
  impl_->publish(*entry, "unpause");
  done(Unit{});
}

}  // namespace stack::engine
