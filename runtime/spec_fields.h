// The members of every type of spec.h under their names in config.json (runtime-spec 1.2), in the
// order in which they are written. spec_json.cc reads and writes by these descriptions, so that
// the two cannot disagree.
//
// A visitor V is called as v("name", member), and left out when it is its type's default; with
// always(), it is written even then. Calls of their own have: group() (an object in the file, no
// type here), letter() (a device type), number_or_all() (-1 in the file: absent here) and
// word() (one of kNamespaceNames).
#pragma once

#include <array>
#include <concepts>
#include <type_traits>
#include <utility>

#include "runtime/spec.h"

namespace stack::runtime {

inline constexpr std::array<std::pair<NamespaceType, const char*>, 8> kNamespaceNames = {{
    {NamespaceType::kMount, "mount"},
    {NamespaceType::kPid, "pid"},
    {NamespaceType::kNetwork, "network"},
    {NamespaceType::kIpc, "ipc"},
    {NamespaceType::kUts, "uts"},
    {NamespaceType::kUser, "user"},
    {NamespaceType::kCgroup, "cgroup"},
    {NamespaceType::kTime, "time"},
}};

template <typename S, typename T>
concept Like = std::same_as<std::remove_const_t<S>, T>;

template <typename V, Like<Rlimit> S>
void describe(V& v, S& s) {
  v.always("type", s.type);
  v.always("hard", s.hard);
  v.always("soft", s.soft);
}

template <typename V, Like<User> S>
void describe(V& v, S& s) {
  v.always("uid", s.uid);
  v.always("gid", s.gid);
  v("umask", s.umask);
  v("additionalGids", s.additional_gids);
  v("username", s.username);
  v("groupNames", s.group_names);
}

template <typename V, Like<Capabilities> S>
void describe(V& v, S& s) {
  v("bounding", s.bounding);
  v("effective", s.effective);
  v("inheritable", s.inheritable);
  v("permitted", s.permitted);
  v("ambient", s.ambient);
}

template <typename V, Like<ConsoleSize> S>
void describe(V& v, S& s) {
  v.always("height", s.height);
  v.always("width", s.width);
}

template <typename V, Like<Process> S>
void describe(V& v, S& s) {
  v("terminal", s.terminal);
  v("consoleSize", s.console_size);
  v.always("user", s.user);
  v("args", s.args);
  v("env", s.env);
  v.always("cwd", s.cwd);
  v("capabilities", s.capabilities);
  v("rlimits", s.rlimits);
  v("noNewPrivileges", s.no_new_privileges);
  v("oomScoreAdj", s.oom_score_adj);
}

template <typename V, Like<Mount> S>
void describe(V& v, S& s) {
  v.always("destination", s.destination);
  v("type", s.type);
  v("source", s.source);
  v("options", s.options);
}

template <typename V, Like<Namespace> S>
void describe(V& v, S& s) {
  v.word("type", s.type);
  v("path", s.path);
}

template <typename V, Like<IdMapping> S>
void describe(V& v, S& s) {
  v.always("containerID", s.container_id);
  v.always("hostID", s.host_id);
  v.always("size", s.size);
}

template <typename V, Like<Device> S>
void describe(V& v, S& s) {
  v.always("path", s.path);
  v.letter("type", s.type);
  v.always("major", s.major);
  v.always("minor", s.minor);
  v.always("fileMode", s.file_mode);
  v.always("uid", s.uid);
  v.always("gid", s.gid);
}

template <typename V, Like<DeviceRule> S>
void describe(V& v, S& s) {
  v.always("allow", s.allow);
  v.letter("type", s.type);
  v.number_or_all("major", s.major);
  v.number_or_all("minor", s.minor);
  v.always("access", s.access);
}

template <typename V, Like<WeightDevice> S>
void describe(V& v, S& s) {
  v.always("major", s.major);
  v.always("minor", s.minor);
  v.always("weight", s.weight);
}

template <typename V, Like<ThrottleDevice> S>
void describe(V& v, S& s) {
  v.always("major", s.major);
  v.always("minor", s.minor);
  v.always("rate", s.rate);
}

template <typename V, Like<HugepageLimit> S>
void describe(V& v, S& s) {
  v.always("pageSize", s.page_size);
  v.always("limit", s.limit);
}

template <typename V, Like<Resources> S>
void describe(V& v, S& s) {
  v("devices", s.devices);
  v.group("memory", [&s](V& g) {
    g("limit", s.memory_limit);
    g("reservation", s.memory_reservation);
    g("swap", s.memory_swap);
    g("swappiness", s.memory_swappiness);
    g("disableOOMKiller", s.disable_oom_killer);
  });
  v.group("cpu", [&s](V& g) {
    g("shares", s.cpu_shares);
    g("quota", s.cpu_quota);
    g("period", s.cpu_period);
    g("burst", s.cpu_burst);
    g("idle", s.cpu_idle);
    g("realtimeRuntime", s.cpu_realtime_runtime);
    g("realtimePeriod", s.cpu_realtime_period);
    g("cpus", s.cpuset_cpus);
    g("mems", s.cpuset_mems);
  });
  v.group("pids", [&s](V& g) { g("limit", s.pids_limit); });
  v.group("blockIO", [&s](V& g) {
    g("weight", s.blkio_weight);
    g("weightDevice", s.blkio_weight_device);
    g("throttleReadBpsDevice", s.throttle_read_bps);
    g("throttleWriteBpsDevice", s.throttle_write_bps);
    g("throttleReadIOPSDevice", s.throttle_read_iops);
    g("throttleWriteIOPSDevice", s.throttle_write_iops);
  });
  v("hugepageLimits", s.hugepage_limits);
  v("unified", s.unified);
}

template <typename V, Like<SeccompArg> S>
void describe(V& v, S& s) {
  v.always("index", s.index);
  v.always("value", s.value);
  v("valueTwo", s.value_two);
  v.always("op", s.op);
}

template <typename V, Like<SeccompRule> S>
void describe(V& v, S& s) {
  v.always("names", s.names);
  v.always("action", s.action);
  v("errnoRet", s.errno_ret);
  v("args", s.args);
}

template <typename V, Like<Seccomp> S>
void describe(V& v, S& s) {
  v.always("defaultAction", s.default_action);
  v("defaultErrnoRet", s.default_errno_ret);
  v("architectures", s.architectures);
  v("flags", s.flags);
  v("syscalls", s.syscalls);
}

template <typename V, Like<Linux> S>
void describe(V& v, S& s) {
  v("namespaces", s.namespaces);
  v("uidMappings", s.uid_mappings);
  v("gidMappings", s.gid_mappings);
  v("devices", s.devices);
  v("cgroupsPath", s.cgroups_path);
  v("resources", s.resources);
  v("sysctl", s.sysctl);
  v("seccomp", s.seccomp);
  v("maskedPaths", s.masked_paths);
  v("readonlyPaths", s.readonly_paths);
  v("rootfsPropagation", s.rootfs_propagation);
}

template <typename V, Like<Hook> S>
void describe(V& v, S& s) {
  v.always("path", s.path);
  v("args", s.args);
  v("env", s.env);
  v("timeout", s.timeout);
}

template <typename V, Like<Hooks> S>
void describe(V& v, S& s) {
  v("prestart", s.prestart);
  v("createRuntime", s.create_runtime);
  v("createContainer", s.create_container);
  v("startContainer", s.start_container);
  v("poststart", s.poststart);
  v("poststop", s.poststop);
}

template <typename V, Like<Spec> S>
void describe(V& v, S& s) {
  v.always("ociVersion", s.oci_version);
  v.always("process", s.process);
  v.group("root", [&s](V& g) {
    g.always("path", s.root_path);
    g("readonly", s.root_readonly);
  });
  v("hostname", s.hostname);
  v("domainname", s.domainname);
  v("mounts", s.mounts);
  v("linux", s.linux_);
  v("hooks", s.hooks);
  v("annotations", s.annotations);
}

}  // namespace stack::runtime
