#include "runtime/default_spec.h"

#include <algorithm>
#include <array>
#include <thread>

#include "base/files.h"
#include "runtime/capabilities.h"
#include "runtime/seccomp.h"
#include "runtime/spec_parts.h"

namespace stack::runtime {

namespace {

constexpr std::uint64_t kDefaultShm = 64U << 20U;

bool has_variable(const std::vector<std::string>& env, std::string_view name) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& item) {
    return item.size() > name.size() && item.starts_with(name) && item[name.size()] == '=';
  });
}

void set_process(const ContainerOptions& o, Process* p) {
  p->terminal = o.tty;
  p->args = o.args;
  p->cwd = o.cwd.empty() ? "/" : o.cwd;
  p->user.username = o.user;
  p->user.group_names = o.group_add;
  p->no_new_privileges = o.no_new_privileges;
  p->oom_score_adj = o.oom_score_adj;
  if (!has_variable(o.env, "PATH")) {
    p->env.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  }
  if (!has_variable(o.env, "HOSTNAME")) {
    p->env.push_back("HOSTNAME=" + (o.hostname.empty() ? o.id.substr(0, 12) : o.hostname));
  }
  if (o.tty && !has_variable(o.env, "TERM")) p->env.push_back("TERM=xterm");
  p->env.insert(p->env.end(), o.env.begin(), o.env.end());
}

Status set_capabilities(const ContainerOptions& o, const Host& host, Spec* spec) {
  const CapabilityMask mask =
      TRY(docker_capabilities(o.cap_add, o.cap_drop, o.privileged, host.capabilities));
  Capabilities caps;
  caps.bounding = names_of(mask);
  caps.effective = caps.bounding;  // inheritable and ambient stay empty: CVE-2022-24769
  caps.permitted = caps.bounding;
  spec->process.capabilities = std::move(caps);
  if (o.privileged || o.seccomp == "unconfined") return ok_status();
  spec->linux_.seccomp = o.seccomp.empty() || o.seccomp == "builtin"
                             ? default_seccomp(mask)
                             : TRY(parse_seccomp_profile(o.seccomp, mask));
  return ok_status();
}

Status set_rlimits(const ContainerOptions& o, Process* p) {
  static constexpr std::array<std::string_view, 16> kNames = {
      "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
      "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    "as"};
  for (const auto& limit : o.ulimits) {
    if (std::find(kNames.begin(), kNames.end(), limit.name) == kNames.end()) {
      return Error::invalid("invalid ulimit type: " + limit.name);
    }
    if (limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard)) {
      return Error::invalid("ulimit soft limit must be less than or equal to hard limit: " +
                            std::to_string(limit.soft) + " > " + std::to_string(limit.hard));
    }
    std::string type = "RLIMIT_" + limit.name;
    std::transform(type.begin(), type.end(), type.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    p->rlimits.push_back(
        {type, static_cast<std::uint64_t>(limit.soft), static_cast<std::uint64_t>(limit.hard)});
  }
  return ok_status();
}

void set_namespaces(const ContainerOptions& o, const Host& host, Spec* spec) {
  const auto add = [&](NamespaceType type, const NamespaceOption& option) {
    if (option.mode == NamespaceMode::kHost) return;
    spec->linux_.namespaces.push_back(
        {type, option.mode == NamespaceMode::kPath ? option.path : ""});
  };
  add(NamespaceType::kMount, {});
  add(NamespaceType::kNetwork, o.network);
  add(NamespaceType::kUts, o.uts);
  add(NamespaceType::kPid, o.pid);
  add(NamespaceType::kIpc, o.ipc);
  const NamespaceOption by_version{host.cgroup_v2 ? NamespaceMode::kPrivate : NamespaceMode::kHost,
                                   ""};
  add(NamespaceType::kCgroup, o.cgroup.value_or(by_version));
}

std::vector<Mount> base_mounts(const ContainerOptions& o) {
  const std::string access = o.privileged ? "rw" : "ro";
  std::vector<Mount> mounts;
  mounts.push_back({"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}});
  mounts.push_back(
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}});
  mounts.push_back({"/dev/pts",
                    "devpts",
                    "devpts",
                    {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}});
  mounts.push_back({"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", access}});
  mounts.push_back({"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", access}});
  // It shows the queues of the IPC namespace, the host's too.
  mounts.push_back({"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}});
  if (o.ipc.mode == NamespaceMode::kHost) {
    mounts.push_back({"/dev/shm", "bind", "/dev/shm", {"rbind"}});
  } else if (!o.shm_path.empty()) {
    mounts.push_back({"/dev/shm", "bind", o.shm_path, {"rbind", "rprivate"}});
  } else if (o.ipc.mode != NamespaceMode::kNone) {
    const std::string size = "size=" + std::to_string(o.shm_size == 0 ? kDefaultShm : o.shm_size);
    mounts.push_back(
        {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", size}});
  }
  return mounts;
}

Status set_mounts(const ContainerOptions& o, Spec* spec) {
  std::vector<Mount> mounts = base_mounts(o);
  std::vector<Mount> user = TRY(user_mounts(o));
  // What the user mounts at the same place replaces ours.
  const auto replaced = [&](const Mount& mount) {
    return std::any_of(user.begin(), user.end(), [&](const Mount& u) {
      return u.destination == mount.destination ||
             (u.destination == "/dev" && mount.destination.starts_with("/dev/"));
    });
  };
  std::erase_if(mounts, replaced);
  mounts.insert(mounts.end(), std::make_move_iterator(user.begin()),
                std::make_move_iterator(user.end()));
  spec->mounts = std::move(mounts);
  return ok_status();
}

void set_paths(const ContainerOptions& o, const Host& host, Linux* l) {
  if (o.masked_paths) {
    l->masked_paths = *o.masked_paths;
  } else if (!o.privileged) {
    l->masked_paths = {"/proc/asound",     "/proc/acpi",        "/proc/interrupts",
                       "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
                       "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                       "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
    l->masked_paths.insert(l->masked_paths.end(), host.thermal_paths.begin(),
                           host.thermal_paths.end());
  }
  if (o.readonly_paths) {
    l->readonly_paths = *o.readonly_paths;
  } else if (!o.privileged) {
    l->readonly_paths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  }
}

Status set_sysctls(const ContainerOptions& o, Linux* l) {
  for (const auto& [name, value] : o.sysctls) TRY(check_sysctl(name, o));
  if (o.network.mode == NamespaceMode::kPrivate) {
    l->sysctl["net.ipv4.ip_unprivileged_port_start"] = "0";
    l->sysctl["net.ipv4.ping_group_range"] = "0 2147483647";
  }
  for (const auto& [name, value] : o.sysctls) l->sysctl[name] = value;
  return ok_status();
}

}  // namespace

Result<Spec> default_spec(const ContainerOptions& o, const Host& host) {
  if (o.id.empty()) return Error::invalid("a container needs an id");
  if (!o.cwd.empty() && o.cwd[0] != '/') {
    return Error::invalid("the working directory '" + o.cwd +
                          "' is invalid, it needs to be an absolute path");
  }
  if (o.oom_score_adj < -1000 || o.oom_score_adj > 1000) {
    return Error::invalid("Invalid value " + std::to_string(o.oom_score_adj) +
                          ", range for oom score adj is [-1000, 1000]");
  }
  TRY(check_resources(o.resources, host));
  Spec spec;
  set_process(o, &spec.process);
  spec.root_path = "rootfs";
  spec.root_readonly = o.read_only;
  if (o.uts.mode == NamespaceMode::kPrivate) {
    spec.hostname = o.hostname.empty() ? o.id.substr(0, 12) : o.hostname;
    spec.domainname = o.domainname;
  }
  TRY(set_capabilities(o, host, &spec));
  TRY(set_rlimits(o, &spec.process));
  set_namespaces(o, host, &spec);
  TRY(set_mounts(o, &spec));
  set_paths(o, host, &spec.linux_);
  TRY(set_sysctls(o, &spec.linux_));
  spec.linux_.resources = o.resources;
  TRY(set_devices(o, &spec.linux_));
  std::string parent = o.cgroup_parent.empty() ? "/stack" : o.cgroup_parent;
  if (parent[0] != '/') parent.insert(0, 1, '/');
  spec.linux_.cgroups_path = parent + (parent.back() == '/' ? "" : "/") + o.id;
  spec.annotations = o.annotations;
  return spec;
}

Host Host::current() {
  Host host;
  host.cgroup_v2 = exists("/sys/fs/cgroup/cgroup.controllers");
  host.capabilities = own_bounding_set();
  host.cpus = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int cpu = 0; cpu < host.cpus; ++cpu) {
    const std::string path =
        "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/thermal_throttle";
    if (exists(path)) host.thermal_paths.push_back(path);
  }
  return host;
}

}  // namespace stack::runtime
