// Creating a container: its record, networks and mounts.

#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/signals.h"
#include "engine/container_config.h"
#include "engine/containers_impl.h"
#include "engine/daemon_settings.h"
#include "engine/endpoint_checks.h"
#include "engine/image_service.h"
#include "engine/networks.h"
#include "engine/random_name.h"
#include "engine/volume_mount.h"
#include "engine/volumes.h"
#include "images/store.h"
#include "runtime/capabilities.h"

namespace stack::engine {

namespace {
// What may stand after "container:" in VolumesFrom; z and Z are SELinux labels, not enforced here.
bool is_access_mode(const std::string& mode) {
  static const std::set<std::string> kModes = {"",     "ro",   "rw",   "z",   "Z",
                                               "ro,z", "ro,Z", "rw,z", "rw,Z"};
  return kModes.count(mode) != 0;
}
}  // namespace

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
    const std::string mode = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (!is_access_mode(mode)) return Error::invalid("invalid mode: " + mode);
    auto found = find(text.substr(0, colon));
    if (!found.ok()) return Error::invalid(found.error().message);
    const Entry* source = *found;
    for (MountPoint mount : source->c.mounts) {
      if (mounted_at(mount.config.target) || mount.config.type == "tmpfs") continue;
      if (mode.find("ro") != std::string::npos) mount.config.read_only = true;
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
      mount.host_path = bound_directory(made->options);
      if (mount.host_path.empty()) mount.host_path = made->mountpoint;
      if (!config.subpath.empty()) mount.host_path += "/" + config.subpath;
    } else if (config.type != "tmpfs") {
      return Error::invalid("a mount of type \"" + config.type + "\" at " + config.target +
                            " is not supported");
    }
    mount.config = std::move(config);
    c.mounts.push_back(std::move(mount));
  }
  c.mounts.insert(c.mounts.end(), inherited.begin(), inherited.end());
  return ok_status();
}

namespace {
std::string host_name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : std::string();
}
}  // namespace

// Containers that this one leans on must be there. The one whose network it is to share need not be
// until the start, as with Docker.
Status Containers::Impl::check_others(const Container& c) {
  for (const auto* mode : {&c.config.pid_mode, &c.config.ipc_mode, &c.config.uts_mode}) {
    if (mode->rfind("container:", 0) != 0) continue;
    if (auto other = find(mode->substr(std::string_view("container:").size())); !other.ok())
      return Error::invalid(other.error().message);
  }
  for (const auto& link : c.config.links) {
    const auto target = link.substr(0, link.find(':'));
    if (auto other = find(target); !other.ok())
      return Error::invalid("could not get container for " + target + ": " + other.error().message);
  }
  return ok_status();
}

// Addresses are given at start; a network that is not there now may be then, as with Docker.
Status Containers::Impl::make_endpoints(Container* c) const {
  const std::string& mode = c->config.network_mode;
  for (const auto& [name, config] : c->config.networks) {
    const std::string known = name == "default" ? "bridge" : name;
    const auto network = services.networks->find(known);
    if (const Status fits = check_endpoint(config, network.ok() ? *network : nullptr); !fits.ok())
      return Error::invalid("invalid config for network " + known + ": " + fits.error().message);
  }
  if (mode == "host" || mode == "none" || mode.rfind("container:", 0) == 0) return ok_status();
  std::map<std::string, EndpointConfig> networks = c->config.networks;
  if (networks.empty()) networks[mode.empty() || mode == "default" ? "bridge" : mode] = {};
  int index = 0;
  for (const auto& [name, config] : networks) {
    const std::string known = name == "default" ? "bridge" : name;
    const auto network = services.networks->find(known);
    Endpoint endpoint;
    endpoint.id = random_hex(64);
    endpoint.network_id = network.ok() ? (*network)->id : "";
    endpoint.network_name = network.ok() ? (*network)->config.name : known;
    endpoint.config = config;
    if (endpoint.config.mac.empty() && (name == mode || networks.size() == 1))
      endpoint.config.mac = c->config.mac_address;
    endpoint.interface =
        config.interface_name.empty() ? "eth" + std::to_string(index) : config.interface_name;
    ++index;
    c->endpoints.push_back(std::move(endpoint));
  }
  return ok_status();
}

namespace {
// What is accepted, and does not do what it says.
std::vector<std::string> creation_warnings(const ContainerConfig& c) {
  std::vector<std::string> out;
  if (c.network_mode == "host" && !c.ports.empty())
    out.emplace_back("Published ports are discarded when using host network mode");
  if (c.resources.oom_kill_disable && c.resources.memory == 0) {
    out.emplace_back(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in "
        "the system running out of resources.");
  }
  return out;
}
}  // namespace

void Containers::create(std::string name, ContainerConfig config, std::string inherit_volumes_from,
                        Done<CreatedContainer> done) {
  Impl& impl = *impl_;
  if (name.empty()) {
    do {
      name = random_name();
    } while (impl.ids_by_name.count(name) != 0);
  }
  if (Status free = impl.check_name(name); !free.ok()) return done(std::move(free).error());
  auto image = impl.services.store.find(config.image);
  if (!image.ok()) return done(std::move(image).error());
  apply_settings(impl.services.images->settings().current(), config);
  auto merged = merge_image_config(std::move(config), image->config);
  if (!merged.ok()) return done(std::move(merged).error());
  auto policy = scheduler::parse_restart_policy(merged->restart_policy);
  if (!policy.ok()) return done(std::move(policy).error());
  if (!merged->storage_options.empty()) {
    return done(Error::invalid(
        "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"));
  }
  if (auto signal = parse_signal(merged->stop_signal); !signal.ok())
    return done(std::move(signal).error());
  if (auto mask = runtime::docker_capabilities(merged->cap_add, merged->cap_drop,
                                               merged->privileged, ~0ULL);
      !mask.ok())
    return done(std::move(mask).error());

  auto entry = std::make_unique<Entry>();
  Container& c = entry->c;
  c.id = random_hex(64);
  c.name = name;
  c.config = std::move(merged).value();
  c.image_id = image->id;
  // In the host's network a container has the host's name.
  if (c.config.network_mode == "host" && c.config.hostname.empty()) c.config.hostname = host_name();
  c.created = impl.services.clock.wall();
  auto args = command_line(c.config);
  c.path = args.front();
  c.args.assign(args.begin() + 1, args.end());

  Status made = impl.check_others(c);
  if (made.ok()) made = impl.make_endpoints(&c);
  if (!made.ok()) return done(std::move(made).error());
  const auto directory = impl.directory(c.id);
  made = make_directories(impl.services.paths.root / "containers", 0710);
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
  done(CreatedContainer{raw->c.id, creation_warnings(raw->c.config)});
}

}  // namespace stack::engine
