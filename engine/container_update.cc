// Changing the limits and the restart policy of a container, running or not (POST
// /containers/x/update).

#include "base/log.h"
#include "engine/container_config.h"
#include "engine/containers_impl.h"

namespace stack::engine {

namespace {

Status conflict(const Container& c, const std::string& why) {
  return Error::conflict("Cannot update container " + c.id + ": " + why);
}

// What does not fit what the container has already; Docker's texts.
Status check_update(const Container& c, const ContainerUpdate& update) {
  const ResourceLimits& now = c.config.resources;
  const ResourceLimits& wanted = update.resources;
  if (wanted.memory > 0 && wanted.memory_swap == 0 && now.memory_swap > 0 &&
      wanted.memory > now.memory_swap) {
    return conflict(c,
                    "Memory limit should be smaller than already set memoryswap limit, update the "
                    "memoryswap at the same time");
  }
  if (now.nano_cpus > 0 && wanted.cpu_period > 0)
    return conflict(
        c, "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
  if (now.nano_cpus > 0 && wanted.cpu_quota > 0)
    return conflict(
        c, "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
  if (now.cpu_quota > 0 && wanted.nano_cpus > 0)
    return conflict(
        c, "Conflicting options: NanoCPUs cannot be updated as CPU Quota has already been set");
  if (now.cpu_period > 0 && wanted.nano_cpus > 0)
    return conflict(
        c, "Conflicting options: NanoCPUs cannot be updated as CPU Period has already been set");
  if (c.config.auto_remove && !update.restart_policy.empty() && update.restart_policy != "no") {
    return Error::conflict(
        "Restart policy cannot be updated because AutoRemove is enabled for the container");
  }
  return ok_status();
}

}  // namespace

ResourceLimits merge_limits(const ResourceLimits& now, const ResourceLimits& wanted) {
  ResourceLimits out = now;
  const auto take = [](auto& to, const auto& from, const auto& none) {
    if (from != none) to = from;
  };
  take(out.nano_cpus, wanted.nano_cpus, 0);
  take(out.cpu_shares, wanted.cpu_shares, 0);
  take(out.cpu_period, wanted.cpu_period, 0);
  take(out.cpu_quota, wanted.cpu_quota, 0);
  take(out.cpuset_cpus, wanted.cpuset_cpus, std::string());
  take(out.cpuset_mems, wanted.cpuset_mems, std::string());
  take(out.memory, wanted.memory, 0);
  take(out.memory_swap, wanted.memory_swap, 0);
  take(out.memory_reservation, wanted.memory_reservation, 0);
  take(out.pids_limit, wanted.pids_limit, 0);
  take(out.blkio_weight, wanted.blkio_weight, 0);
  return out;
}

void Containers::update(const std::string& name_or_id, ContainerUpdate update, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  const auto operation = [this, id, update = std::move(update), done](Entry::Finished finished) {
    Entry* entry = impl_->get(id);
    const auto finish = [this, id, update, done, finished](Status changed) {
      Entry* same = impl_->get(id);
      if (changed.ok()) {
        same->c.config.resources = merge_limits(same->c.config.resources, update.resources);
        if (!update.restart_policy.empty()) {
          same->c.config.restart_policy = update.restart_policy;
          same->c.config.restart_max_retries = update.restart_max_retries;
        }
        impl_->save(*same);
        impl_->publish(*same, "update");
      }
      done(std::move(changed));
      finished();
    };
    if (entry->c.status == RunState::kRemoving || entry->c.status == RunState::kDead)
      return finish(
          conflict(entry->c, "Container is marked for removal and cannot be \"update\"."));
    Status fits = check_update(entry->c, update);
    if (!fits.ok()) return finish(std::move(fits));
    const bool live = entry->c.status == RunState::kRunning || entry->c.status == RunState::kPaused;
    if (!live || update.resources == ResourceLimits{}) return finish(ok_status());
    auto limits = runtime_resources(update.resources);
    if (!limits.ok()) return finish(std::move(limits).error());
    impl_->services.pool.run(
        [this, directory = impl_->run_dir(id), limits = std::move(limits).value()] {
          return impl_->services.runtime.update(directory, limits);
        },
        finish);
  };
  impl_->enqueue(id, operation, Impl::no_such_container(id, std::move(done)));
}

}  // namespace stack::engine
