// The JSON form of a Spec: absent members are left out.
#include <nlohmann/json.hpp>

#include "runtime/spec.h"

namespace stack::runtime {

namespace {

using json = nlohmann::ordered_json;

template <typename T>
void put(json& object, const char* name, const T& value) {
  if (!(value == T{})) object[name] = value;
}

template <typename T>
void put(json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}

template <typename T, typename F>
void put_list(json& object, const char* name, const std::vector<T>& list, F&& each) {
  if (list.empty()) return;
  json array = json::array();
  for (const auto& item : list) array.push_back(each(item));
  object[name] = std::move(array);
}

void put_object(json& object, const char* name, json value) {
  if (!value.empty()) object[name] = std::move(value);
}

const char* type_name(NamespaceType type) {
  switch (type) {
    case NamespaceType::kMount:
      return "mount";
    case NamespaceType::kPid:
      return "pid";
    case NamespaceType::kNetwork:
      return "network";
    case NamespaceType::kIpc:
      return "ipc";
    case NamespaceType::kUts:
      return "uts";
    case NamespaceType::kUser:
      return "user";
    case NamespaceType::kCgroup:
      return "cgroup";
    case NamespaceType::kTime:
      return "time";
  }
  return "";
}

json process_json(const Process& p) {
  json j = json::object();
  put(j, "terminal", p.terminal);
  if (p.console_size)
    j["consoleSize"] = {{"height", p.console_size->height}, {"width", p.console_size->width}};
  json user = {{"uid", p.user.uid}, {"gid", p.user.gid}};
  put(user, "umask", p.user.umask);
  put(user, "additionalGids", p.user.additional_gids);
  put(user, "username", p.user.username);
  put(user, "groupNames", p.user.group_names);
  j["user"] = std::move(user);
  put(j, "args", p.args);
  put(j, "env", p.env);
  j["cwd"] = p.cwd;
  if (p.capabilities) {
    json c = json::object();
    put(c, "bounding", p.capabilities->bounding);
    put(c, "effective", p.capabilities->effective);
    put(c, "inheritable", p.capabilities->inheritable);
    put(c, "permitted", p.capabilities->permitted);
    put(c, "ambient", p.capabilities->ambient);
    j["capabilities"] = std::move(c);
  }
  put_list(j, "rlimits", p.rlimits, [](const Rlimit& l) {
    return json{{"type", l.type}, {"hard", l.hard}, {"soft", l.soft}};
  });
  put(j, "noNewPrivileges", p.no_new_privileges);
  put(j, "oomScoreAdj", p.oom_score_adj);
  return j;
}

json throttle_json(const ThrottleDevice& d) {
  return {{"major", d.major}, {"minor", d.minor}, {"rate", d.rate}};
}

json resources_json(const Resources& r) {
  json j = json::object();
  put_list(j, "devices", r.devices, [](const DeviceRule& rule) {
    json d = {{"allow", rule.allow}, {"type", std::string(1, rule.type)}};
    put(d, "major", rule.major);
    put(d, "minor", rule.minor);
    d["access"] = rule.access;
    return d;
  });
  json memory = json::object();
  put(memory, "limit", r.memory_limit);
  put(memory, "reservation", r.memory_reservation);
  put(memory, "swap", r.memory_swap);
  put(memory, "swappiness", r.memory_swappiness);
  put(memory, "disableOOMKiller", r.disable_oom_killer);
  put_object(j, "memory", std::move(memory));
  json cpu = json::object();
  put(cpu, "shares", r.cpu_shares);
  put(cpu, "quota", r.cpu_quota);
  put(cpu, "period", r.cpu_period);
  put(cpu, "burst", r.cpu_burst);
  put(cpu, "idle", r.cpu_idle);
  put(cpu, "realtimeRuntime", r.cpu_realtime_runtime);
  put(cpu, "realtimePeriod", r.cpu_realtime_period);
  put(cpu, "cpus", r.cpuset_cpus);
  put(cpu, "mems", r.cpuset_mems);
  put_object(j, "cpu", std::move(cpu));
  if (r.pids_limit) j["pids"] = {{"limit", *r.pids_limit}};
  json io = json::object();
  put(io, "weight", r.blkio_weight);
  put_list(io, "weightDevice", r.blkio_weight_device, [](const WeightDevice& d) {
    return json{{"major", d.major}, {"minor", d.minor}, {"weight", d.weight}};
  });
  put_list(io, "throttleReadBpsDevice", r.throttle_read_bps, throttle_json);
  put_list(io, "throttleWriteBpsDevice", r.throttle_write_bps, throttle_json);
  put_list(io, "throttleReadIOPSDevice", r.throttle_read_iops, throttle_json);
  put_list(io, "throttleWriteIOPSDevice", r.throttle_write_iops, throttle_json);
  put_object(j, "blockIO", std::move(io));
  put_list(j, "hugepageLimits", r.hugepage_limits, [](const auto& l) {
    return json{{"pageSize", l.first}, {"limit", l.second}};
  });
  put(j, "unified", r.unified);
  return j;
}

json seccomp_json(const Seccomp& s) {
  json j = {{"defaultAction", s.default_action}};
  put(j, "defaultErrnoRet", s.default_errno_ret);
  put(j, "architectures", s.architectures);
  put(j, "flags", s.flags);
  put_list(j, "syscalls", s.syscalls, [](const SeccompRule& rule) {
    json r = {{"names", rule.names}, {"action", rule.action}};
    put(r, "errnoRet", rule.errno_ret);
    put_list(r, "args", rule.args, [](const SeccompArg& a) {
      json arg = {{"index", a.index}, {"value", a.value}};
      put(arg, "valueTwo", a.value_two);
      arg["op"] = a.op;
      return arg;
    });
    return r;
  });
  return j;
}

json linux_json(const Linux& l) {
  json j = json::object();
  put_list(j, "namespaces", l.namespaces, [](const Namespace& ns) {
    json n = {{"type", type_name(ns.type)}};
    put(n, "path", ns.path);
    return n;
  });
  const auto mapping = [](const IdMapping& m) {
    return json{{"containerID", m.container_id}, {"hostID", m.host_id}, {"size", m.size}};
  };
  put_list(j, "uidMappings", l.uid_mappings, mapping);
  put_list(j, "gidMappings", l.gid_mappings, mapping);
  put_list(j, "devices", l.devices, [](const Device& d) {
    return json{{"path", d.path},   {"type", std::string(1, d.type)}, {"major", d.major},
                {"minor", d.minor}, {"fileMode", d.file_mode},        {"uid", d.uid},
                {"gid", d.gid}};
  });
  put(j, "cgroupsPath", l.cgroups_path);
  put_object(j, "resources", resources_json(l.resources));
  put(j, "sysctl", l.sysctl);
  if (l.seccomp) j["seccomp"] = seccomp_json(*l.seccomp);
  put(j, "maskedPaths", l.masked_paths);
  put(j, "readonlyPaths", l.readonly_paths);
  put(j, "rootfsPropagation", l.rootfs_propagation);
  return j;
}

json hook_json(const Hook& h) {
  json j = {{"path", h.path}};
  put(j, "args", h.args);
  put(j, "env", h.env);
  put(j, "timeout", h.timeout);
  return j;
}

}  // namespace

std::string to_json(const Spec& spec) {
  json j = {{"ociVersion", spec.oci_version}};
  j["process"] = process_json(spec.process);
  j["root"] = {{"path", spec.root_path}};
  put(j["root"], "readonly", spec.root_readonly);
  put(j, "hostname", spec.hostname);
  put(j, "domainname", spec.domainname);
  put_list(j, "mounts", spec.mounts, [](const Mount& m) {
    json mount = {{"destination", m.destination}};
    put(mount, "type", m.type);
    put(mount, "source", m.source);
    put(mount, "options", m.options);
    return mount;
  });
  put_object(j, "linux", linux_json(spec.linux_));
  json hooks = json::object();
  put_list(hooks, "prestart", spec.hooks.prestart, hook_json);
  put_list(hooks, "createRuntime", spec.hooks.create_runtime, hook_json);
  put_list(hooks, "createContainer", spec.hooks.create_container, hook_json);
  put_list(hooks, "startContainer", spec.hooks.start_container, hook_json);
  put_list(hooks, "poststart", spec.hooks.poststart, hook_json);
  put_list(hooks, "poststop", spec.hooks.poststop, hook_json);
  put_object(j, "hooks", std::move(hooks));
  put(j, "annotations", spec.annotations);
  // Bytes that are not UTF-8 (legal in paths) are replaced rather than thrown at the caller.
  return j.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace stack::runtime
