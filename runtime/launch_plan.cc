#include "runtime/launch_plan.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <unordered_map>

namespace stack::runtime {

namespace {

std::string clean_target(const std::string& destination) {
  // "/a/../b" would be resolved inside the root anyway; cleaning it keeps the creation of missing
  // parts simple.
  std::string text = std::filesystem::path("/" + destination).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  if (text.starts_with("//")) text.erase(0, 1);
  return text;
}

struct AttributeOption {
  std::string_view name;
  std::uint64_t set, clear;
};
constexpr AttributeOption kAttributes[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", 0x00200000, 0},
    // The mode of access times is one field: changing it clears the others.
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"atime", 0, MOUNT_ATTR__ATIME},
};

struct PropagationOption {
  std::string_view name;
  std::uint64_t value;
};
constexpr PropagationOption kPropagations[] = {
    {"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE},
    {"shared", MS_SHARED},         {"rshared", MS_SHARED},
    {"slave", MS_SLAVE},           {"rslave", MS_SLAVE},
    {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE},
};

void apply_attribute(const AttributeOption& option, MountPlan* m) {
  m->attr_set = (m->attr_set & ~option.clear) | option.set;
  m->attr_clear = (m->attr_clear & ~option.set) | option.clear;
}

Result<std::uint32_t> rlimit_number(const std::string& type) {
  static const std::unordered_map<std::string, std::uint32_t> kNumbers = {
      {"RLIMIT_AS", RLIMIT_AS},
      {"RLIMIT_CORE", RLIMIT_CORE},
      {"RLIMIT_CPU", RLIMIT_CPU},
      {"RLIMIT_DATA", RLIMIT_DATA},
      {"RLIMIT_FSIZE", RLIMIT_FSIZE},
      {"RLIMIT_LOCKS", RLIMIT_LOCKS},
      {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
      {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
      {"RLIMIT_NICE", RLIMIT_NICE},
      {"RLIMIT_NOFILE", RLIMIT_NOFILE},
      {"RLIMIT_NPROC", RLIMIT_NPROC},
      {"RLIMIT_RSS", RLIMIT_RSS},
      {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
      {"RLIMIT_RTTIME", RLIMIT_RTTIME},
      {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
      {"RLIMIT_STACK", RLIMIT_STACK}};
  const auto it = kNumbers.find(type);
  if (it == kNumbers.end()) return Error::invalid("unknown rlimit \"" + type + "\"");
  return it->second;
}

// What /sys/fs/cgroup shows: on v1 a tmpfs with one mount a hierarchy, on v2 the one tree.
void add_cgroup_mounts(const Mount& mount, const std::vector<CgroupView>& views, bool v2,
                       bool private_ns, LaunchPlan* plan) {
  const bool read_only =
      std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
  const std::uint64_t safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  const std::uint64_t attributes = safe | (read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0U);
  const std::string base = clean_target(mount.destination);
  if (v2) {
    MountPlan m;
    m.target = base;
    m.source = "cgroup";
    m.attr_set = attributes;
    if (private_ns) {
      m.fstype = "cgroup2";
      m.flags = wire::kRealDirectory;
    } else {
      m.flags = wire::kBind | wire::kRecursive;
      m.source = views.empty() ? "/sys/fs/cgroup" : views.front().host_path;
    }
    plan->mounts.push_back(std::move(m));
    return;
  }
  MountPlan top;
  top.target = base;
  top.source = top.fstype = "tmpfs";
  top.data = "mode=755";
  top.attr_set = safe;
  plan->mounts.push_back(std::move(top));
  for (const auto& view : views) {
    MountPlan m;
    m.target = base + "/" + view.name;
    m.attr_set = attributes;
    if (private_ns) {
      m.source = view.mount_data.starts_with("none,name=") ? view.name : "cgroup";
      m.fstype = "cgroup";
      m.data = view.mount_data;
    } else {
      m.source = view.host_path;
      m.flags = wire::kBind;
      m.propagation = MS_PRIVATE;
    }
    plan->mounts.push_back(std::move(m));
    for (const auto& link : view.links) plan->symlinks.emplace_back(base + "/" + link, view.name);
  }
}

Status add_mounts(const StartRequest& request, const std::vector<CgroupView>& views, bool v2,
                  LaunchPlan* plan) {
  const Namespace* cgroup_ns = find_namespace(request.spec, NamespaceType::kCgroup);
  bool own_dev = true;
  for (const auto& mount : request.spec.mounts) {
    if (mount.type == "cgroup" || mount.type == "cgroup2") {
      add_cgroup_mounts(mount, views, v2, cgroup_ns != nullptr, plan);
      continue;
    }
    MountPlan m = TRY(make_mount_plan(mount));
    if (m.target == "/") {
      return Error::invalid("invalid mount " + mount.source + ": destination can't be '/'");
    }
    if ((m.flags & wire::kBind) != 0 && m.target == "/dev") own_dev = false;
    // Under /proc only these files may be covered; anything else would defeat the masks.
    static constexpr std::array<std::string_view, 9> kAllowed = {
        "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo",
        "/proc/stat",    "/proc/swaps",     "/proc/uptime",
        "/proc/loadavg", "/proc/slabinfo",  "/proc/sys/kernel/ns_last_pid"};
    if (m.target.starts_with("/proc/") && m.target != "/proc/sys/crypto/fips_enabled" &&
        std::find(kAllowed.begin(), kAllowed.end(), m.target) == kAllowed.end()) {
      return Error::invalid("error mounting \"" + mount.source + "\" to rootfs at \"" +
                            mount.destination + "\": \"" + m.target +
                            "\" cannot be mounted because it is inside /proc");
    }
    plan->mounts.push_back(std::move(m));
  }
  if (own_dev) plan->flags |= wire::kSetupDev;
  return ok_status();
}

Status add_namespaces(const StartRequest& request, LaunchPlan* plan) {
  static constexpr std::pair<NamespaceType, std::uint32_t> kFlags[] = {
      {NamespaceType::kPid, CLONE_NEWPID},
      {NamespaceType::kNetwork, CLONE_NEWNET},
      {NamespaceType::kIpc, CLONE_NEWIPC},
      {NamespaceType::kUts, CLONE_NEWUTS},
      {NamespaceType::kMount, CLONE_NEWNS}};
  plan->clone_flags |= CLONE_NEWNS;  // always: nothing could be mounted safely without
  for (std::size_t i = 0; i < request.spec.linux_.namespaces.size(); ++i) {
    const Namespace& ns = request.spec.linux_.namespaces[i];
    for (std::size_t j = 0; j < i; ++j) {
      if (request.spec.linux_.namespaces[j].type == ns.type) {
        return Error::invalid("the OCI configuration names a namespace type twice");
      }
    }
    if (ns.type == NamespaceType::kUser || ns.type == NamespaceType::kTime) {
      return Error::invalid("user and time namespaces are not supported");
    }
    if (ns.type == NamespaceType::kMount && !ns.path.empty()) {
      return Error::invalid("joining another mount namespace is not supported");
    }
    if (ns.type == NamespaceType::kCgroup) {
      if (!ns.path.empty()) {
        plan->joins.emplace_back(CLONE_NEWCGROUP, ns.path);
      } else {
        plan->flags |= wire::kNewCgroupNs;
      }
      continue;
    }
    for (const auto& [type, flag] : kFlags) {
      if (type != ns.type) continue;
      if (!ns.path.empty()) {
        plan->joins.emplace_back(flag, ns.path);
      } else if (type != NamespaceType::kNetwork || request.netns_fd < 0) {
        plan->clone_flags |= flag;
      }
    }
  }
  if (request.netns_fd >= 0) {
    std::erase_if(plan->joins, [](const auto& join) { return join.first == CLONE_NEWNET; });
  }
  if ((plan->clone_flags & CLONE_NEWPID) != 0) plan->flags |= wire::kNewPidNs;
  if (!request.spec.hostname.empty() &&
      find_namespace(request.spec, NamespaceType::kUts) == nullptr) {
    return Error::invalid("unable to set hostname without a private UTS namespace");
  }
  return ok_status();
}

}  // namespace

Result<MountPlan> make_mount_plan(const Mount& mount) {
  MountPlan m;
  m.target = clean_target(mount.destination);
  m.source = mount.source;
  m.fstype = mount.type;
  std::string source_root;
  bool try_recursive = false;
  bool must_recursive = false;
  for (const auto& option : mount.options) {
    const auto* attribute =
        std::find_if(std::begin(kAttributes), std::end(kAttributes),
                     [&](const AttributeOption& a) { return a.name == option; });
    const auto* propagation =
        std::find_if(std::begin(kPropagations), std::end(kPropagations),
                     [&](const PropagationOption& p) { return p.name == option; });
    if (attribute != std::end(kAttributes)) {
      apply_attribute(*attribute, &m);
    } else if (propagation != std::end(kPropagations)) {
      m.propagation = propagation->value;
    } else if (option == "bind") {
      m.flags |= wire::kBind;
    } else if (option == "rbind") {
      m.flags |= wire::kBind | wire::kRecursive;
    } else if (option.starts_with(kSourceRootOption)) {
      source_root = option.substr(kSourceRootOption.size());
    } else if (option == "rro") {
      must_recursive = true;
    } else if (option != "defaults" && option != "async" && option != "sync" && option != "rrw" &&
               option != "nostrictatime" && option != "norelatime") {
      m.data += (m.data.empty() ? "" : ",") + option;
    }
  }
  if (mount.type == "bind") m.flags |= wire::kBind;
  if ((m.flags & wire::kBind) != 0) {
    m.data = source_root;
    m.attr_clear &= ~std::uint64_t{
        MOUNT_ATTR_RDONLY};  // "rw" leaves a read-only source read-only, as a bind does
    if (m.source.empty() || m.source[0] != '/') {
      return Error::invalid("mount source of \"" + mount.destination +
                            "\" must be an absolute path, not \"" + m.source + "\"");
    }
    if (!m.source.starts_with(source_root))
      return Error::invalid("mount source " + m.source + " is not below " + source_root);
    // With "ro" beside it, "rro" is a wish for kernels that can.
    try_recursive = must_recursive && (m.attr_set & MOUNT_ATTR_RDONLY) != 0;
    if (must_recursive)
      m.flags |= try_recursive ? wire::kTryRecursiveReadonly : wire::kMustRecursiveReadonly;
    return m;
  }
  if (mount.type.empty())
    return Error::invalid("the mount at \"" + mount.destination + "\" has no type");
  m.attr_clear = 0;
  if (m.fstype == "proc" || m.fstype == "sysfs") m.flags |= wire::kRealDirectory;
  if (m.fstype == "sysfs" && (m.attr_set & MOUNT_ATTR_RDONLY) != 0)
    m.data += m.data.empty() ? "ro" : ",ro";
  if (m.fstype == "tmpfs") {
    if (("," + m.data).find(",mode=") == std::string::npos) m.flags |= wire::kInheritMode;
    if ((m.attr_set & MOUNT_ATTR_RDONLY) != 0) m.flags |= wire::kLateReadonly;
  }
  return m;
}

std::vector<std::string> merge_env(const std::vector<std::string>& base,
                                   const std::vector<std::string>& over) {
  std::vector<std::string> result;
  std::unordered_map<std::string, std::size_t> places;
  for (const auto* list : {&base, &over}) {
    for (const auto& item : *list) {
      const std::string name = item.substr(0, item.find('='));
      const auto [it, inserted] = places.try_emplace(name, result.size());
      if (inserted) {
        result.push_back(item);
      } else {
        result[it->second] = item;
      }
    }
  }
  return result;
}

Result<ProcessPlan> make_process_plan(const Process& process, const std::string& user_override,
                                      const SeccompFilter& filter) {
  ProcessPlan p;
  p.user = user_override.empty() ? process.user.username : user_override;
  p.uid = process.user.uid;
  p.gid = process.user.gid;
  // Docker's containers always name their user ("" is root); a plain OCI configuration with numbers
  // does not.
  if (!p.user.empty() || (p.uid == 0 && p.gid == 0 && process.user.additional_gids.empty()))
    p.flags |= wire::kNamedUser;
  p.gids = process.user.additional_gids;
  p.group_names = process.user.group_names;
  p.args = process.args;
  p.env = merge_env(process.env, {});
  p.cwd = clean_target(process.cwd);
  if (!process.cwd.empty() && process.cwd[0] != '/') {
    return Error::invalid("the working directory '" + process.cwd +
                          "' is invalid, it needs to be an absolute path");
  }
  p.umask = process.user.umask.value_or(022);
  if (process.capabilities) {
    p.bounding = mask_of(process.capabilities->bounding);
    p.effective = mask_of(process.capabilities->effective);
    p.permitted = mask_of(process.capabilities->permitted);
    p.inheritable = mask_of(process.capabilities->inheritable);
    p.ambient = mask_of(process.capabilities->ambient);
  }
  for (const auto& limit : process.rlimits) {
    p.rlimits.push_back({TRY(rlimit_number(limit.type)), limit.soft, limit.hard});
  }
  if (process.no_new_privileges) p.flags |= wire::kNoNewPrivileges;
  if (process.oom_score_adj) {
    p.flags |= wire::kOomScore;
    p.oom_score_adj = *process.oom_score_adj;
  }
  p.seccomp = filter;
  return p;
}

Result<LaunchPlan> make_plan(const StartRequest& request, const SeccompFilter& filter,
                             const std::vector<CgroupView>& cgroup_views, bool cgroup_v2) {
  const Spec& spec = request.spec;
  if (!spec.hooks.empty())
    return Error::invalid("hooks in the OCI configuration are not supported");
  LaunchPlan plan;
  plan.id = request.id;
  plan.run_dir = request.run_dir.string();
  plan.log_file = request.log.file.string();
  plan.log_max_size = request.log.max_size;
  plan.log_max_file = static_cast<std::uint32_t>(std::max(1, request.log.max_file));
  plan.flags = wire::kMakeCwd;
  if (request.log.discard || request.log.file.empty()) plan.flags |= wire::kDiscardLog;
  if (spec.process.terminal) plan.flags |= wire::kTty;
  if (request.open_stdin) plan.flags |= wire::kOpenStdin;
  if (request.stdin_once) plan.flags |= wire::kStdinOnce;
  if (request.init) plan.flags |= wire::kInit;
  if (spec.root_readonly) plan.flags |= wire::kRootReadonly;
  if (spec.process.console_size) {
    plan.rows = spec.process.console_size->height;
    plan.cols = spec.process.console_size->width;
  }
  TRY(add_namespaces(request, &plan));
  plan.process = TRY(make_process_plan(spec.process, request.user, filter));
  plan.hostname = spec.hostname;
  plan.domainname = spec.domainname;
  for (const auto& lower : request.rootfs.lowers) plan.lowers.push_back(lower.string());
  plan.upper = request.rootfs.upper.string();
  plan.work = request.rootfs.work.string();
  plan.root_path = spec.root_path;
  const std::string& propagation = spec.linux_.rootfs_propagation;
  for (const auto& option : kPropagations) {
    if (option.name == propagation)
      plan.root_propagation = static_cast<std::uint32_t>(option.value) | MS_REC;
  }
  TRY(add_mounts(request, cgroup_views, cgroup_v2, &plan));
  plan.devices = spec.linux_.devices;
  for (const auto& [name, value] : spec.linux_.sysctl) {
    std::string path = name;
    // "net.ipv4.conf.eth0/1.x": dots and slashes change places.
    for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
    plan.sysctls.emplace_back(path, value);
  }
  plan.masked = spec.linux_.masked_paths;
  plan.readonly = spec.linux_.readonly_paths;
  return plan;
}

}  // namespace stack::runtime
