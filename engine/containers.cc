#include "engine/containers.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_config.h"
#include "engine/containers_impl.h"
#include "engine/model_json.h"
#include "engine/networks.h"
#include "engine/random_name.h"
#include "engine/state_store.h"
#include "engine/volumes.h"
#include "images/store.h"
#include "netd/client.h"

namespace stack::engine {

namespace {

bool valid_name(const std::string& name) {
  const auto plain = [](char ch) { return std::isalnum(static_cast<unsigned char>(ch)) != 0; };
  if (name.size() < 2 || !plain(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char ch) { return plain(ch) || ch == '_' || ch == '.' || ch == '-'; });
}

bool is_live(RunState state) {
  return state == RunState::kRunning || state == RunState::kPaused ||
         state == RunState::kRestarting;
}

}  // namespace

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

void Containers::Impl::enqueue(const std::string& id, Entry::Operation operation) {
  Entry* entry = get(id);
  if (entry == nullptr) return;
  entry->queue.push_back(std::move(operation));
  if (!entry->busy) run_next(id);
}

void Containers::Impl::run_next(const std::string& id) {
  Entry* entry = get(id);
  if (entry == nullptr || entry->busy || entry->queue.empty()) return;
  entry->busy = true;
  auto operation = std::move(entry->queue.front());
  entry->queue.pop_front();
  operation([this, id] {
    if (Entry* same = get(id)) same->busy = false;
    services.loop.post([this, id] { run_next(id); });
  });
}

void Containers::Impl::save(const Entry& entry) {
  const Status saved = services.state.put("container", entry.c.id, to_record(entry.c));
  if (!saved.ok()) log_error("container {}: {}", entry.c.name, saved.error().to_string());
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
  const WaitResult result{entry->c.exit_code, entry->c.error};
  for (auto& waiter : called) waiter.done(result);
}

// Named volumes are made when the container is created, anonymous ones too, or taken over from the
// container it replaces.
Status Containers::Impl::make_mounts(Entry* entry, const std::string& inherit_from) {
  Container& c = entry->c;
  std::vector<MountConfig> wanted = c.config.mounts;
  const auto mounted_at = [&](const std::string& target) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](const MountConfig& m) { return m.target == target; });
  };
  std::vector<MountPoint> inherited;
  for (const auto& text : c.config.volumes_from) {
    const std::size_t colon = text.find(':');
    const Entry* source = TRY(find(text.substr(0, colon)));
    for (MountPoint mount : source->c.mounts) {
      if (mounted_at(mount.config.target) || mount.config.type == "tmpfs") continue;
      if (colon != std::string::npos && text.substr(colon + 1).find("ro") != std::string::npos)
        mount.config.read_only = true;
      mount.anonymous = false;  // it belongs to the other container
      inherited.push_back(mount);
    }
  }
  for (const auto& target : c.config.volumes) {
    if (mounted_at(target)) continue;
    if (std::any_of(inherited.begin(), inherited.end(),
                    [&](const MountPoint& m) { return m.config.target == target; }))
      continue;
    MountConfig mount;
    mount.type = "volume";
    mount.target = target;
    wanted.push_back(std::move(mount));
  }
  const Entry* old = inherit_from.empty() ? nullptr : get(inherit_from);
  for (auto& config : wanted) {
    MountPoint mount;
    if (config.target.empty() || config.target[0] != '/') {
      return Error::invalid("invalid mount path: '" + config.target +
                            "' mount path must be absolute");
    }
    if (config.type == "bind") {
      if (config.source.empty())
        return Error::invalid(
            "invalid mount config for type \"bind\": field Source must not be empty");
      if (!exists(config.source)) {
        if (!config.create_host_path) {
          return Error::invalid(
              "invalid mount config for type \"bind\": bind source path does not exist: " +
              config.source);
        }
        TRY(make_directories(config.source, 0755));
      }
      mount.host_path = config.source;
    } else if (config.type == "volume") {
      Volume volume;
      volume.name = config.source;
      volume.driver = config.volume_driver;
      volume.labels = config.volume_labels;
      volume.options = config.driver_options;
      mount.anonymous = config.source.empty();
      if (mount.anonymous && old != nullptr) {
        for (const auto& previous : old->c.mounts) {
          if (previous.anonymous && previous.config.target == config.target)
            volume.name = previous.volume;
        }
      }
      const Volume* made = TRY(services.volumes->create(std::move(volume)));
      mount.volume = made->name;
      mount.host_path = made->mountpoint;
      if (!config.subpath.empty()) mount.host_path += "/" + config.subpath;
    } else if (config.type != "tmpfs") {
      return Error::invalid("mount type unknown: \"" + config.type + "\"");
    }
    mount.config = std::move(config);
    c.mounts.push_back(std::move(mount));
  }
  c.mounts.insert(c.mounts.end(), inherited.begin(), inherited.end());
  return ok_status();
}

Containers::Containers(Services& services) : impl_(std::make_unique<Impl>(services)) {}
Containers::~Containers() = default;

void Containers::create(std::string name, ContainerConfig config, std::string inherit_volumes_from,
                        Done<CreatedContainer> done) {
  Impl& impl = *impl_;
  if (name.empty()) {
    do {
      name = random_name();
    } while (impl.ids_by_name.count(name) != 0);
  }
  if (!valid_name(name)) {
    return done(Error::invalid("Invalid container name (" + name +
                               "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
  }
  if (const auto it = impl.ids_by_name.find(name); it != impl.ids_by_name.end()) {
    return done(Error::conflict(
        "Conflict. The container name \"/" + name + "\" is already in use by container \"" +
        it->second +
        "\". You have to remove (or rename) that container to be able to reuse that name."));
  }
  auto image = impl.services.store.find(config.image);
  if (!image.ok()) return done(std::move(image).error());
  auto merged = merge_image_config(std::move(config), image->config);
  if (!merged.ok()) return done(std::move(merged).error());
  auto policy = scheduler::parse_restart_policy(merged->restart_policy);
  if (!policy.ok()) return done(std::move(policy).error());
  if (auto signal = parse_signal(merged->stop_signal); !signal.ok())
    return done(std::move(signal).error());

  auto entry = std::make_unique<Entry>();
  Container& c = entry->c;
  c.id = random_hex(64);
  c.name = name;
  c.config = std::move(merged).value();
  c.image_id = image->id;
  c.created = impl.services.clock.wall();
  auto args = command_line(c.config);
  c.path = args.front();
  c.args.assign(args.begin() + 1, args.end());

  // Every network must exist now; addresses are given at start.
  std::map<std::string, EndpointConfig> networks = c.config.networks;
  const std::string& mode = c.config.network_mode;
  const bool shares = mode == "host" || mode == "none" || mode.rfind("container:", 0) == 0;
  if (!shares && networks.empty())
    networks[mode.empty() || mode == "default" ? "bridge" : mode] = {};
  if (!shares) {
    int index = 0;
    for (const auto& [network_name, endpoint_config] : networks) {
      auto network =
          impl.services.networks->find(network_name == "default" ? "bridge" : network_name);
      if (!network.ok()) return done(std::move(network).error());
      Endpoint endpoint;
      endpoint.id = random_hex(64);
      endpoint.network_id = (*network)->id;
      endpoint.network_name = (*network)->config.name;
      endpoint.config = endpoint_config;
      endpoint.interface = endpoint_config.interface_name.empty() ? "eth" + std::to_string(index)
                                                                  : endpoint_config.interface_name;
      ++index;
      c.endpoints.push_back(std::move(endpoint));
    }
  }
  const auto directory = impl.directory(c.id);
  Status made = make_directories(impl.services.paths.root / "containers", 0710);
  if (made.ok()) made = make_directories(directory, 0710);
  if (made.ok()) made = make_directories(directory / "upper", 0755);
  if (made.ok()) made = make_directories(directory / "work", 0700);
  if (made.ok()) made = impl.make_mounts(entry.get(), inherit_volumes_from);
  if (!made.ok()) {
    (void)remove_tree(directory);  // the first error is the one to tell
    return done(std::move(made).error());
  }
  // mkdir(2) applied our umask; the root of a container is 0755 whatever that is.
  (void)::chmod((directory / "upper").c_str(), 0755);
  Entry* raw = entry.get();
  impl.ids_by_name[name] = c.id;
  impl.entries.emplace(c.id, std::move(entry));
  impl.save(*raw);
  impl.publish(*raw, "create");
  done(CreatedContainer{raw->c.id, {}});
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
  entries.erase(id);
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
  impl_->enqueue(id, [this, id, options, done = std::move(done)](Entry::Finished finished) mutable {
    Impl& impl = *impl_;
    Entry* entry = impl.get(id);
    auto remove_now = [this, id, options, done, finished]() {
      Entry* stopped = impl_->get(id);
      if (stopped == nullptr) {
        done(Unit{});
        return finished();
      }
      stopped->c.status = RunState::kRemoving;
      const auto directory = impl_->directory(id);
      impl_->services.pool.run(
          [directory, run_dir = impl_->run_dir(id), id, runtime = &impl_->services.runtime] {
            Status destroyed = runtime->destroy(id, run_dir);
            Status removed = remove_tree(directory);
            return destroyed.ok() ? std::move(removed) : std::move(destroyed);
          },
          [this, id, options, done, finished](Status removed) {
            if (!removed.ok()) {
              if (Entry* dead = impl_->get(id)) dead->c.status = RunState::kDead;
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
      const std::string state = to_string(entry->c.status);
      done(Error::conflict("cannot remove container \"" + entry->c.name + "\": container is " +
                           state + ": stop the container before removing or force remove"));
      return finished();
    }
    impl.stop(entry, 0, "SIGKILL", [remove_now](Result<Unit>) { remove_now(); });
  });
}

void Containers::rename(const std::string& name_or_id, const std::string& new_name,
                        Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string name = !new_name.empty() && new_name[0] == '/' ? new_name.substr(1) : new_name;
  if (!valid_name(name))
    return done(Error::invalid("Invalid container name (" + name +
                               "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
  if (const auto it = impl_->ids_by_name.find(name); it != impl_->ids_by_name.end()) {
    return done(Error::conflict(
        "Conflict. The container name \"/" + name + "\" is already in use by container \"" +
        it->second +
        "\". You have to remove (or rename) that container to be able to reuse that name."));
  }
  Entry* entry = *found;
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

void Containers::adopt() {
  auto records = impl_->services.state.all("container");
  if (!records.ok()) {
    log_error("reading containers: {}", records.error().to_string());
    return;
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
  for (const auto& [id, entry] : impl_->entries) impl_->adopt(entry.get());
  // A directory without a record is what a crash between the two left.
  std::error_code ec;
  for (const auto& item :
       std::filesystem::directory_iterator(impl_->services.paths.root / "containers", ec)) {
    if (impl_->get(item.path().filename().string()) == nullptr) (void)remove_tree(item.path());
  }
}

}  // namespace stack::engine
