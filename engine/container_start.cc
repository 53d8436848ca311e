#include "engine/container_start.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "engine/container_config.h"
#include "engine/container_endpoints.h"
#include "engine/container_etc_files.h"
#include "engine/init_files.h"
#include "engine/volume_mount.h"
#include "images/copy.h"
#include "images/overlay.h"
#include "netd/endpoint.h"
#include "runtime/capabilities.h"
#include "runtime/container_files.h"
#include "runtime/default_spec.h"

namespace stack::engine {

namespace {

namespace fs = std::filesystem;

constexpr const char* kEtcFiles[] = {"resolv.conf", "hostname", "hosts"};

bool has_own_network(const Container& container) {
  return !container.endpoints.empty() || container.config.network_mode == "none";
}

bool has_subpath(const MountPoint& mount) {
  return mount.config.type == "volume" && !mount.config.subpath.empty();
}

// Refuses a symbolic link that leads out of the volume, in Docker's words.
Status check_subpath(const MountPoint& mount) {
  std::error_code ec;
  const std::string volume = volume_directory(mount);
  const auto place = fs::canonical(mount.host_path, ec).string();
  if (ec) {
    return Error::make(ErrorKind::kInternal,
                       fmt::format("cannot access path {0}: lstat {0}: {1}", mount.host_path,
                                   runtime::errno_words(ec.value())));
  }
  const auto root = fs::canonical(volume, ec).string();
  if (place == root || place.rfind(root + "/", 0) == 0) return ok_status();
  return Error::invalid("subpath " + mount.config.subpath + " leads out of volume " + mount.volume);
}

// The subpath of a volume, as a descriptor: containers write into the volume, so that a name may mean
// something else a moment later. Looked up inside the volume alone, whatever its links say.
Result<Fd> open_subpath(const MountPoint& mount) {
  TRY(check_subpath(mount));
  const Fd volume = TRY(open_fd(volume_directory(mount), O_PATH | O_DIRECTORY));
  return images::open_in_root(volume.get(), mount.config.subpath, O_PATH);
}

std::string path_of(const Fd& fd) { return fmt::format("/proc/{}/fd/{}", ::getpid(), fd.get()); }

// Docker fills an empty named or anonymous volume with what the image has at that place.
Status fill_volumes(const StartJob& job) {
  Fd root;
  for (const auto& mount : job.container.mounts) {
    if (mount.config.type != "volume" || mount.config.no_copy) continue;
    Fd subpath;
    if (has_subpath(mount)) subpath = TRY(open_subpath(mount));
    const std::string place = subpath ? path_of(subpath) : mount.host_path;
    std::error_code ec;
    if (!fs::is_empty(place, ec) || ec) continue;
    if (!root)
      root =
          TRY(images::mount_overlay(job.lowers, job.directory / "upper", job.directory / "work"));
    auto source = images::open_in_root(root.get(), mount.config.target, O_RDONLY | O_DIRECTORY);
    if (!source.ok()) continue;  // the image has nothing there
    struct stat st {};
    if (::fstat(source->get(), &st) != 0) return Error::os(errno, mount.config.target);
    const Fd target = TRY(open_fd(place, O_RDONLY | O_DIRECTORY));
    TRY_WHILE(images::copy_tree(root.get(), mount.config.target, target.get(), "/"),
              "filling volume " + mount.volume + " from " + mount.config.target + " of the image");
    if (::fchown(target.get(), st.st_uid, st.st_gid) != 0 ||
        ::fchmod(target.get(), st.st_mode & 07777U) != 0) {
      return Error::os(errno, mount.host_path);
    }
  }
  return ok_status();
}

runtime::MountOption mount_option(const MountPoint& mount) {
  runtime::MountOption option;
  option.kind = mount.config.type == "tmpfs"    ? runtime::MountKind::kTmpfs
                : mount.config.type == "volume" ? runtime::MountKind::kVolume
                                                : runtime::MountKind::kBind;
  option.source = mount.host_path;
  if (has_subpath(mount)) option.source_root = volume_directory(mount);
  option.target = mount.config.target;
  option.read_only = mount.config.read_only;
  option.propagation = mount.config.propagation;
  option.recursive =
      mount.config.recursive ? runtime::BindRecursive::kEnabled : runtime::BindRecursive::kDisabled;
  option.tmpfs_size = static_cast<std::uint64_t>(mount.config.tmpfs_size);
  option.tmpfs_mode = mount.config.tmpfs_mode;
  return option;
}

runtime::NamespaceOption namespace_option(const std::string& mode, int pid, const char* type) {
  if (pid > 0)
    return {runtime::NamespaceMode::kPath, "/proc/" + std::to_string(pid) + "/ns/" + type};
  if (mode == "host") return {runtime::NamespaceMode::kHost, ""};
  if (mode == "none") return {runtime::NamespaceMode::kNone, ""};
  return {};
}

Result<runtime::Spec> make_spec(const StartJob& job) {
  const Container& container = job.container;
  runtime::ContainerOptions options = TRY(runtime_options(container));
  if (options.hostname.empty()) options.hostname = hostname_of(container);
  const fs::path& files = job.files_of.empty() ? job.directory : job.files_of;
  for (const char* name : kEtcFiles) {
    runtime::MountOption mount;
    mount.source = (files / name).string();
    mount.target = std::string("/etc/") + name;
    mount.read_only = container.config.read_only;
    options.mounts.push_back(std::move(mount));
  }
  for (const auto& mount : container.mounts) {
    if (has_subpath(mount)) TRY(check_subpath(mount));
    if (mount.config.type == "tmpfs" && mount.config.tmpfs_size == 0 && !mount.config.tmpfs_mode) {
      options.tmpfs[mount.config.target] = mount.config.tmpfs_options;
    } else {
      options.mounts.push_back(mount_option(mount));
    }
  }
  options.pid = namespace_option(container.config.pid_mode, job.pid_pid, "pid");
  options.ipc = namespace_option(container.config.ipc_mode, job.ipc_pid, "ipc");
  options.uts = namespace_option(container.config.uts_mode, job.uts_pid, "uts");
  options.network = namespace_option(container.config.network_mode, 0, "net");
  if (options.network.mode == runtime::NamespaceMode::kNone)
    options.network.mode = runtime::NamespaceMode::kPrivate;
  if (job.network_pid > 0) options.network = namespace_option("", job.network_pid, "net");
  options.shm_path = job.shm;
  if (container.config.cgroupns_mode == "host")
    options.cgroup = runtime::NamespaceOption{runtime::NamespaceMode::kHost, ""};
  if (container.config.cgroupns_mode == "private") options.cgroup = runtime::NamespaceOption{};
  return runtime::default_spec(options, runtime::Host::current());
}

Result<runtime::LogOptions> log_options(const StartJob& job) {
  const LogConfig& log = job.container.config.log;
  runtime::LogOptions options;
  options.file = job.directory / (job.container.id + "-json.log");
  options.discard = log.driver == "none";
  // Unlimited logs fill disks, so without a word from the user 3 x 10 MiB are kept.
  options.max_size = 10U << 20U;
  options.max_file = 3;
  if (const auto it = log.options.find("max-size"); it != log.options.end()) {
    char* end = nullptr;
    double size = std::strtod(it->second.c_str(), &end);
    switch (std::tolower(static_cast<unsigned char>(*end))) {
      case 'k':
        size *= 1e3;
        break;
      case 'm':
        size *= 1e6;
        break;
      case 'g':
        size *= 1e9;
        break;
      case '\0':
        break;
      default:
        return Error::invalid("invalid max-size \"" + it->second + "\"");
    }
    if (size == 0 || (size < 0 && it->second != "-1"))
      return Error::invalid("max-size must be a positive number");
    options.max_size = size < 0 ? 0 : static_cast<std::uint64_t>(size);
    options.max_file = 1;
  }
  if (const auto it = log.options.find("max-file"); it != log.options.end()) {
    options.max_file = std::atoi(it->second.c_str());
    if (options.max_file < 1) return Error::invalid("max-file cannot be less than 1");
  }
  return options;
}

bool shares_own_shm(const StartJob& job) { return !job.shm.empty() && job.ipc_pid == 0; }

// On the host: a mount of another mount namespace cannot be bound (mount(2), EINVAL).
Status mount_shm(const StartJob& job) {
  TRY(make_directories(job.shm, 0700));
  TRY(unmount_volume(job.shm));
  const std::int64_t asked = job.container.config.shm_size;
  const auto size = asked > 0 ? asked : std::int64_t{64} << 20;
  return mount_volume({{"type", "tmpfs"},
                       {"device", "shm"},
                       {"o", "nosuid,noexec,nodev,mode=1777,size=" + std::to_string(size)}},
                      job.shm);
}

Result<runtime::RunningContainer> run(const runtime::Runtime& runtime, const StartJob& job,
                                      int netns_fd) {
  if (job.files_of.empty()) TRY(write_etc_files(job));
  for (const auto& volume : job.volumes)
    TRY_WHILE(mount_volume(volume.options, volume.mountpoint), "failed to populate volume");
  TRY(fill_volumes(job));
  if (shares_own_shm(job)) TRY(mount_shm(job));
  TRY(make_directories(job.run_dir.parent_path(), 0711));
  TRY(add_init_files(job.directory / "upper", job.lowers));
  runtime::StartRequest request;
  request.id = job.container.id;
  request.spec = TRY(make_spec(job));
  TRY(write_file(job.directory / "config.json", runtime::to_json(request.spec)));
  request.rootfs = {job.lowers, job.directory / "upper", job.directory / "work"};
  request.netns_fd = netns_fd;
  request.run_dir = job.run_dir;
  request.log = TRY(log_options(job));
  request.open_stdin = job.container.config.open_stdin;
  request.stdin_once = job.container.config.stdin_once;
  request.init = job.container.config.init.value_or(false);
  request.user = job.container.config.user;
  request.cgroup_parent = job.container.config.cgroup_parent;
  for (const auto& client : job.clients)
    request.clients.push_back({client.socket.get(), client.request});
  return runtime.start(request);
}

Status ensure_networks(const StartJob& job) {
  for (const auto& network : job.networks) {
    if (job.bridge_gate != nullptr) {
      const std::lock_guard lock(job.bridge_gate->mutex);
      TRY(netd::ensure_network(network));
    } else if (::if_nametoindex(network.bridge.c_str()) == 0) {
      // Bridges of user networks were made with the network; this heals one that somebody took
      // away.
      TRY(netd::ensure_network(network));
    }
  }
  return ok_status();
}

}  // namespace

Result<Fd> make_missing_interfaces(const StartJob& job) {
  std::vector<netd::EndpointSpec> missing = endpoint_specs(job.container, job.networks);
  std::erase_if(missing, [](const netd::EndpointSpec& spec) {
    return ::if_nametoindex(spec.host_veth.c_str()) != 0;
  });
  Fd netns = TRY(netd::namespace_of(job.container.pid));
  if (missing.empty()) return netns;
  TRY(ensure_networks(job));
  TRY(netd::guard_senders(senders_of(job.container)));
  TRY(netd::attach_endpoints(netns.get(), missing, job.resolver));
  return netns;
}

Status take_interface(const StartJob& left, const Endpoint& gone, bool was_gateway) {
  const auto detach = [&]() -> Status {
    TRY(netd::detach_endpoint(gone.host_veth));
    if (!was_gateway) return ok_status();
    const Fd netns = TRY(netd::namespace_of(left.container.pid));
    return netd::set_default_routes(netns.get(), endpoint_specs(left.container, left.networks));
  };
  Status detached = detach();
  if (!detached.ok() && detached.error().os_errno == ENOENT)
    detached = ok_status();  // the container has ended, and its routes with it
  Container alone = left.container;
  alone.endpoints = {gone};
  Status forgotten = netd::forget_senders(senders_of(alone));
  return detached.ok() ? std::move(forgotten) : std::move(detached);
}

Result<Fd> prepare_network(const StartJob& job) {
  if (!has_own_network(job.container) || job.network_pid > 0) return Fd();
  Fd netns = TRY_WHILE(netd::create_namespace(), "creating a network namespace");
  TRY(ensure_networks(job));
  const auto specs = endpoint_specs(job.container, job.networks);
  if (!specs.empty())
    TRY_WHILE(netd::attach_endpoints(netns.get(), specs, job.resolver),
              "setting up container networking");
  return netns;
}

std::vector<netd::Sender> senders_of(const Container& container) {
  const auto& config = container.config;
  const auto held = runtime::docker_capabilities(config.cap_add, config.cap_drop, config.privileged,
                                                 ~runtime::CapabilityMask{0});
  if (!held.ok() || (*held & runtime::mask_of({"CAP_NET_ADMIN"})) != 0) return {};
  std::vector<netd::Sender> senders;
  for (const Endpoint& e : container.endpoints) {
    const bool has_address = !e.ipv4.empty() || !e.ipv6.empty();  // from its start to its end
    if (has_address && !e.mac.empty())
      senders.push_back({e.host_veth, e.mac, e.ipv4, e.ipv6, e.config.link_local_ips});
  }
  return senders;
}

Result<runtime::RunningContainer> launch(const runtime::Runtime& runtime, const StartJob& job,
                                         int netns_fd) {
  if (!job.ports.empty()) {
    TRY_WHILE(netd::publish(job.container.id, job.ports), "failed to set up container networking");
  }
  const std::vector<netd::Sender> senders = senders_of(job.container);
  auto running = [&]() -> Result<runtime::RunningContainer> {
    TRY_WHILE(netd::guard_senders(senders), "failed to set up container networking");
    return run(runtime, job, netns_fd);
  }();
  if (!running.ok()) {
    // The first error is the one to tell.
    (void)netd::forget_senders(senders);
    (void)clean_up(runtime, job.container.id, job.run_dir, job.ports,
                   shares_own_shm(job) ? job.shm : fs::path());
  }
  return running;
}

Status clean_up(const runtime::Runtime& runtime, const std::string& id, const fs::path& run_dir,
                const std::vector<netd::PublishedPort>& ports, const fs::path& shm) {
  Status unpublished = ports.empty() ? ok_status() : netd::unpublish(id, ports);
  Status destroyed = runtime.destroy(id, run_dir);
  Status unmounted = shm.empty() ? ok_status() : unmount_volume(shm);
  if (!unpublished.ok()) return unpublished;
  return destroyed.ok() ? std::move(unmounted) : std::move(destroyed);
}

}  // namespace stack::engine
