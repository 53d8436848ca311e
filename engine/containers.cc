#include "engine/containers.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_config.h"
#include "engine/containers_impl.h"
#include "engine/history.h"
#include "engine/model_json.h"
#include "engine/networks.h"
#include "engine/random_name.h"
#include "engine/state_store.h"
#include "engine/volumes.h"
#include "images/store.h"
#include "netd/client.h"

namespace stack::engine {

namespace {
Error invalid_name(const std::string& shown) {
  return Error::invalid("Invalid container name (" + shown +
                        "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
}
}  // namespace

Status Containers::Impl::check_name(const std::string& name) const {
  const auto plain = [](char ch) { return std::isalnum(static_cast<unsigned char>(ch)) != 0; };
  const bool valid =
      name.size() >= 2 && plain(name[0]) && std::all_of(name.begin(), name.end(), [&](char ch) {
        return plain(ch) || ch == '_' || ch == '.' || ch == '-';
      });
  if (!valid) return invalid_name(name);
  const auto it = ids_by_name.find(name);
  if (it == ids_by_name.end()) return ok_status();
  return Error::conflict("Conflict. The container name \"/" + name +
                         "\" is already in use by container \"" + it->second +
                         "\". You have to remove (or rename) that container to be able to reuse "
                         "that name.");
}

Entry* Containers::Impl::get(const std::string& id) {
  const auto it = entries.find(id);
  return it == entries.end() ? nullptr : it->second.get();
}

Result<Entry*> Containers::Impl::find(const std::string& name_or_id) {
  const std::string name =
      !name_or_id.empty() && name_or_id[0] == '/' ? name_or_id.substr(1) : name_or_id;
  if (Entry* entry = get(name)) return entry;
  if (const auto it = ids_by_name.find(name); it != ids_by_name.end()) return get(it->second);
  Entry* match = nullptr;
  if (!name.empty()) {
    for (auto it = entries.lower_bound(name); it != entries.end() && it->first.rfind(name, 0) == 0;
         ++it) {
      if (match != nullptr)
        return Error::invalid("Multiple IDs found with provided prefix: " + name);
      match = it->second.get();
    }
  }
  if (match != nullptr) return match;
  return Error::not_found("No such container: " + name);
}

void Containers::Impl::enqueue(const std::string& id, Entry::Operation operation,
                               std::function<void()> gone) {
  Entry* entry = get(id);
  if (entry == nullptr) return;
  entry->queue.push_back({std::move(operation), std::move(gone)});
  if (!entry->busy) run_next(id);
}

void Containers::Impl::run_next(const std::string& id) {
  Entry* entry = get(id);
  if (entry == nullptr || entry->busy || entry->queue.empty()) return;
  entry->busy = true;
  const auto operation = std::move(entry->queue.front().run);
  entry->queue.pop_front();
  operation([this, id] {
    if (Entry* same = get(id)) same->busy = false;
    services.loop.post([this, id] { run_next(id); });
  });
}

Status Containers::Impl::write(const Entry& entry) {
  Status written = services.state.put("container", entry.c.id, to_record(entry.c));
  if (written.ok()) unsaved.erase(entry.c.id);
  return written;
}

void Containers::Impl::save(const Entry& entry) {
  const Status saved = write(entry);
  if (saved.ok()) return;
  if (unsaved.insert(entry.c.id).second)
    log_error("container {}: {}", entry.c.name, saved.error().to_string());
  save_again = services.loop.after(std::chrono::seconds(1), [this] {
    for (const std::string& id : std::set<std::string>(unsaved)) {
      if (const Entry* same = get(id)) {
        save(*same);
      } else {
        unsaved.erase(id);
      }
    }
  });
}

void Containers::Impl::publish(const Entry& entry, const std::string& action,
                               std::map<std::string, std::string> more) {
  std::map<std::string, std::string> attributes = entry.c.config.labels;
  attributes["image"] = entry.c.config.image;
  attributes["name"] = entry.c.name;
  for (auto& [key, value] : more) attributes[key] = std::move(value);
  services.events.publish(
      {"container", action, entry.c.id, std::move(attributes), services.clock.wall()});
}

void Containers::Impl::remember(const Entry& entry, const std::string& action,
                                const std::string& why) {
  if (services.history == nullptr) return;
  const auto label = [&](const char* key) {
    const auto it = entry.c.config.labels.find(key);
    return it == entry.c.config.labels.end() ? std::string() : it->second;
  };
  services.history->record({{},
                            label("com.docker.compose.project"),
                            label("com.docker.compose.service"),
                            entry.c.name,
                            action,
                            why,
                            "restart policy"});
}

void Containers::Impl::notify_waiters(Entry* entry, WaitCondition reached) {
  std::vector<Entry::Waiter> left;
  std::vector<Entry::Waiter> called;
  for (auto& waiter : entry->waiters) {
    const bool satisfied =
        waiter.condition == reached ||
        (reached == WaitCondition::kNextExit && waiter.condition == WaitCondition::kNotRunning) ||
        reached == WaitCondition::kRemoved;
    (satisfied ? called : left).push_back(std::move(waiter));
  }
  entry->waiters = std::move(left);
  for (auto& waiter : called) {
    // Who waits for the removal hears of errors of the removal, not of the start.
    const bool removal = waiter.condition == WaitCondition::kRemoved;
    waiter.done(WaitResult{entry->c.exit_code, removal ? std::string() : entry->c.error});
  }
}

Containers::Containers(Services& services) : impl_(std::make_unique<Impl>(services)) {}
Containers::~Containers() {
  (void)netd::forget_senders(impl_->departed);  // what fails now is put right at the next start
}

void Containers::Impl::erase(const std::string& id, bool volumes) {
  Entry* entry = get(id);
  stop_health(entry);
  const auto mounts = entry->c.mounts;
  services.netd.remove_container(id);
  const Status erased = services.state.erase("container", id);
  if (!erased.ok()) log_error("container {}: {}", entry->c.name, erased.error().to_string());
  publish(*entry, "destroy");
  notify_waiters(entry, WaitCondition::kRemoved);
  ids_by_name.erase(entry->c.name);
  for (auto it = execs.begin(); it != execs.end();)
    it = it->second.state.container_id == id ? execs.erase(it) : std::next(it);
  const auto unserved = std::move(entry->queue);
  entries.erase(id);
  for (const auto& turn : unserved) {
    if (turn.gone) turn.gone();
  }
  if (!volumes) return;
  for (const auto& mount : mounts) {
    if (!mount.anonymous) continue;
    const Status removed = services.volumes->remove(mount.volume, true);
    if (!removed.ok() && removed.error().kind != ErrorKind::kConflict)
      log_warning("{}", removed.error().to_string());
  }
}

void Containers::remove(const std::string& name_or_id, RemoveOptions options, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  auto gone = Impl::no_such_container(id, done);
  const auto take_away = [this, id, name_or_id, options,
                          done = std::move(done)](Entry::Finished finished) {
    Impl& impl = *impl_;
    Entry* entry = impl.get(id);
    auto remove_now = [this, id, options, done, finished]() {
      Entry* stopped = impl_->get(id);
      if (stopped == nullptr) {
        done(Unit{});
        return finished();
      }
      stopped->c.status = RunState::kRemoving;
      impl_->save(*stopped);
      const auto directory = impl_->directory(id);
      impl_->services.pool.run(
          [directory, run_dir = impl_->run_dir(id), id, runtime = &impl_->services.runtime] {
            Status destroyed = runtime->destroy(id, run_dir);
            Status removed = remove_tree(directory);
            return destroyed.ok() ? std::move(removed) : std::move(destroyed);
          },
          [this, id, options, done, finished](Status removed) {
            if (!removed.ok()) {
              if (Entry* dead = impl_->get(id)) {
                dead->c.status = RunState::kDead;
                impl_->save(*dead);
              }
              done(std::move(removed).error());
              return finished();
            }
            impl_->erase(id, options.volumes);
            done(Unit{});
            finished();
          });
    };
    if (!is_live(entry->c.status)) return remove_now();
    if (!options.force) {
      const std::string state(to_string(entry->c.status));
      done(Error::conflict("cannot remove container \"" + name_or_id + "\": container is " + state +
                           ": stop the container before removing or force remove"));
      return finished();
    }
    impl.stop(entry, 0, "SIGKILL", [remove_now](Result<Unit>) { remove_now(); });
    if (Entry* ending = impl.get(id)) ending->stopping = false;  // this end is told as a kill
  };
  impl_->enqueue(id, take_away, std::move(gone));
}

void Containers::rename(const std::string& name_or_id, const std::string& new_name,
                        Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string name = !new_name.empty() && new_name[0] == '/' ? new_name.substr(1) : new_name;
  Entry* entry = *found;
  if (name == entry->c.name)
    return done(Error::invalid("Renaming a container with the same name as its current name"));
  if (Status free = impl_->check_name(name); !free.ok()) {
    const bool malformed = free.error().kind == ErrorKind::kInvalid;
    const Error why = malformed ? invalid_name("/" + name) : free.error();
    return done(Error::make(why.kind, "Error when allocating new name: " + why.message));
  }
  const std::string old = entry->c.name;
  impl_->ids_by_name.erase(old);
  impl_->ids_by_name[name] = entry->c.id;
  entry->c.name = name;
  impl_->save(*entry);
  if (is_live(entry->c.status)) impl_->register_names(entry, Fd(), [](const Status&) {});
  impl_->publish(*entry, "rename", {{"oldName", "/" + old}});
  done(Unit{});
}

void Containers::wait(const std::string& name_or_id, WaitCondition condition,
                      Done<WaitResult> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  Entry* entry = *found;
  if (condition == WaitCondition::kNotRunning && !is_live(entry->c.status)) {
    return done(WaitResult{entry->c.exit_code, entry->c.error});
  }
  entry->waiters.push_back({condition, std::move(done)});
}

Result<const Container*> Containers::find(const std::string& name_or_id) const {
  const Entry* entry = TRY(impl_->find(name_or_id));
  return &entry->c;
}

std::vector<const Container*> Containers::list() const {
  std::vector<const Container*> out;
  out.reserve(impl_->entries.size());
  for (const auto& [id, entry] : impl_->entries) out.push_back(&entry->c);
  std::sort(out.begin(), out.end(),
            [](const Container* a, const Container* b) { return a->created > b->created; });
  return out;
}

std::filesystem::path Containers::log_file(const std::string& id) const {
  return impl_->directory(id) / (id + "-json.log");
}

Result<std::vector<int>> Containers::processes(const std::string& id) const {
  const Entry* entry = TRY(impl_->find(id));
  if (entry->c.pid == 0) return Error::conflict("container " + entry->c.id + " is not running");
  auto pids = TRY(impl_->services.runtime.processes(impl_->run_dir(entry->c.id)));
  return std::vector<int>(pids.begin(), pids.end());
}

}  // namespace stack::engine
