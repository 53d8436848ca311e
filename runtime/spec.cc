#include "runtime/spec.h"

#include <array>
#include <exception>
#include <nlohmann/json.hpp>

namespace stack::runtime {

namespace {

using nlohmann::json;

constexpr std::array<std::pair<NamespaceType, const char*>, 8> kNamespaceNames = {{
    {NamespaceType::kMount, "mount"},
    {NamespaceType::kPid, "pid"},
    {NamespaceType::kNetwork, "network"},
    {NamespaceType::kIpc, "ipc"},
    {NamespaceType::kUts, "uts"},
    {NamespaceType::kUser, "user"},
    {NamespaceType::kCgroup, "cgroup"},
    {NamespaceType::kTime, "time"},
}};

// Reads the member if it is there and not null.
template <typename T>
void read(const json& object, const char* name, T& value) {
  const auto it = object.find(name);
  if (it != object.end() && !it->is_null()) it->get_to(value);
}

template <typename T>
void read(const json& object, const char* name, std::optional<T>& value) {
  const auto it = object.find(name);
  if (it != object.end() && !it->is_null()) value = it->get<T>();
}

const json& child(const json& object, const char* name) {
  static const json kEmpty = json::object();
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? kEmpty : *it;
}

template <typename T, typename F>
void read_list(const json& object, const char* name, std::vector<T>& list, F&& each) {
  const auto it = object.find(name);
  if (it == object.end() || it->is_null()) return;
  for (const auto& item : *it) list.push_back(each(item));
}

char type_letter(const json& object, char fallback) {
  std::string text;
  read(object, "type", text);
  if (text.empty()) return fallback;
  return text[0] == 'u' ? 'c' : text[0];
}

void read_process(const json& j, Process& p) {
  read(j, "terminal", p.terminal);
  if (j.contains("consoleSize") && !j["consoleSize"].is_null()) {
    ConsoleSize size;
    read(j["consoleSize"], "height", size.height);
    read(j["consoleSize"], "width", size.width);
    p.console_size = size;
  }
  const json& user = child(j, "user");
  read(user, "uid", p.user.uid);
  read(user, "gid", p.user.gid);
  read(user, "umask", p.user.umask);
  read(user, "additionalGids", p.user.additional_gids);
  read(user, "username", p.user.username);
  read(user, "groupNames", p.user.group_names);
  read(j, "args", p.args);
  read(j, "env", p.env);
  read(j, "cwd", p.cwd);
  if (j.contains("capabilities") && !j["capabilities"].is_null()) {
    Capabilities caps;
    const json& c = j["capabilities"];
    read(c, "bounding", caps.bounding);
    read(c, "effective", caps.effective);
    read(c, "inheritable", caps.inheritable);
    read(c, "permitted", caps.permitted);
    read(c, "ambient", caps.ambient);
    p.capabilities = std::move(caps);
  }
  read_list(j, "rlimits", p.rlimits, [](const json& item) {
    Rlimit limit;
    read(item, "type", limit.type);
    read(item, "soft", limit.soft);
    read(item, "hard", limit.hard);
    return limit;
  });
  read(j, "noNewPrivileges", p.no_new_privileges);
  read(j, "oomScoreAdj", p.oom_score_adj);
}

ThrottleDevice read_throttle(const json& j) {
  ThrottleDevice device;
  read(j, "major", device.major);
  read(j, "minor", device.minor);
  read(j, "rate", device.rate);
  return device;
}

void read_resources(const json& j, Resources& r) {
  read_list(j, "devices", r.devices, [](const json& item) {
    DeviceRule rule;
    read(item, "allow", rule.allow);
    rule.type = type_letter(item, 'a');
    read(item, "major", rule.major);
    read(item, "minor", rule.minor);
    if (rule.major == -1) rule.major.reset();
    if (rule.minor == -1) rule.minor.reset();
    read(item, "access", rule.access);
    return rule;
  });
  const json& memory = child(j, "memory");
  read(memory, "limit", r.memory_limit);
  read(memory, "swap", r.memory_swap);
  read(memory, "reservation", r.memory_reservation);
  read(memory, "swappiness", r.memory_swappiness);
  read(memory, "disableOOMKiller", r.disable_oom_killer);
  const json& cpu = child(j, "cpu");
  read(cpu, "shares", r.cpu_shares);
  read(cpu, "quota", r.cpu_quota);
  read(cpu, "period", r.cpu_period);
  read(cpu, "burst", r.cpu_burst);
  read(cpu, "idle", r.cpu_idle);
  read(cpu, "realtimeRuntime", r.cpu_realtime_runtime);
  read(cpu, "realtimePeriod", r.cpu_realtime_period);
  read(cpu, "cpus", r.cpuset_cpus);
  read(cpu, "mems", r.cpuset_mems);
  read(child(j, "pids"), "limit", r.pids_limit);
  const json& io = child(j, "blockIO");
  read(io, "weight", r.blkio_weight);
  read_list(io, "weightDevice", r.blkio_weight_device, [](const json& item) {
    WeightDevice device;
    read(item, "major", device.major);
    read(item, "minor", device.minor);
    read(item, "weight", device.weight);
    return device;
  });
  read_list(io, "throttleReadBpsDevice", r.throttle_read_bps, read_throttle);
  read_list(io, "throttleWriteBpsDevice", r.throttle_write_bps, read_throttle);
  read_list(io, "throttleReadIOPSDevice", r.throttle_read_iops, read_throttle);
  read_list(io, "throttleWriteIOPSDevice", r.throttle_write_iops, read_throttle);
  read_list(j, "hugepageLimits", r.hugepage_limits, [](const json& item) {
    std::pair<std::string, std::uint64_t> limit;
    read(item, "pageSize", limit.first);
    read(item, "limit", limit.second);
    return limit;
  });
  read(j, "unified", r.unified);
}

SeccompRule read_rule(const json& item) {
  SeccompRule rule;
  read(item, "names", rule.names);
  read(item, "action", rule.action);
  read(item, "errnoRet", rule.errno_ret);
  read_list(item, "args", rule.args, [](const json& a) {
    SeccompArg arg;
    read(a, "index", arg.index);
    read(a, "value", arg.value);
    read(a, "valueTwo", arg.value_two);
    read(a, "op", arg.op);
    return arg;
  });
  return rule;
}

void read_linux(const json& j, Linux& l) {
  read_list(j, "namespaces", l.namespaces, [](const json& item) {
    Namespace ns;
    std::string type;
    read(item, "type", type);
    bool known = false;
    for (const auto& [value, name] : kNamespaceNames) {
      if (type == name) {
        ns.type = value;
        known = true;
      }
    }
    if (!known) throw std::runtime_error("unknown namespace type \"" + type + "\"");
    read(item, "path", ns.path);
    return ns;
  });
  const auto mapping = [](const json& item) {
    IdMapping m;
    read(item, "containerID", m.container_id);
    read(item, "hostID", m.host_id);
    read(item, "size", m.size);
    return m;
  };
  read_list(j, "uidMappings", l.uid_mappings, mapping);
  read_list(j, "gidMappings", l.gid_mappings, mapping);
  read_list(j, "devices", l.devices, [](const json& item) {
    Device device;
    read(item, "path", device.path);
    device.type = type_letter(item, 'c');
    read(item, "major", device.major);
    read(item, "minor", device.minor);
    read(item, "fileMode", device.file_mode);
    read(item, "uid", device.uid);
    read(item, "gid", device.gid);
    return device;
  });
  read(j, "cgroupsPath", l.cgroups_path);
  read_resources(child(j, "resources"), l.resources);
  read(j, "sysctl", l.sysctl);
  if (j.contains("seccomp") && !j["seccomp"].is_null()) {
    Seccomp seccomp;
    const json& s = j["seccomp"];
    read(s, "defaultAction", seccomp.default_action);
    read(s, "defaultErrnoRet", seccomp.default_errno_ret);
    read(s, "architectures", seccomp.architectures);
    read(s, "flags", seccomp.flags);
    read_list(s, "syscalls", seccomp.syscalls, read_rule);
    l.seccomp = std::move(seccomp);
  }
  read(j, "maskedPaths", l.masked_paths);
  read(j, "readonlyPaths", l.readonly_paths);
  read(j, "rootfsPropagation", l.rootfs_propagation);
}

Hook read_hook(const json& item) {
  Hook hook;
  read(item, "path", hook.path);
  read(item, "args", hook.args);
  read(item, "env", hook.env);
  read(item, "timeout", hook.timeout);
  return hook;
}

void read_spec(const json& j, Spec& spec) {
  read(j, "ociVersion", spec.oci_version);
  if (spec.oci_version.rfind("1.", 0) != 0) {
    throw std::runtime_error("ociVersion \"" + spec.oci_version + "\" is not supported (1.x is)");
  }
  read_process(child(j, "process"), spec.process);
  const json& root = child(j, "root");
  read(root, "path", spec.root_path);
  read(root, "readonly", spec.root_readonly);
  read(j, "hostname", spec.hostname);
  read(j, "domainname", spec.domainname);
  read_list(j, "mounts", spec.mounts, [](const json& item) {
    Mount mount;
    read(item, "destination", mount.destination);
    read(item, "type", mount.type);
    read(item, "source", mount.source);
    read(item, "options", mount.options);
    return mount;
  });
  read_linux(child(j, "linux"), spec.linux_);
  const json& hooks = child(j, "hooks");
  read_list(hooks, "prestart", spec.hooks.prestart, read_hook);
  read_list(hooks, "createRuntime", spec.hooks.create_runtime, read_hook);
  read_list(hooks, "createContainer", spec.hooks.create_container, read_hook);
  read_list(hooks, "startContainer", spec.hooks.start_container, read_hook);
  read_list(hooks, "poststart", spec.hooks.poststart, read_hook);
  read_list(hooks, "poststop", spec.hooks.poststop, read_hook);
  read(j, "annotations", spec.annotations);
}

}  // namespace

bool Hooks::empty() const {
  return prestart.empty() && create_runtime.empty() && create_container.empty() &&
         start_container.empty() && poststart.empty() && poststop.empty();
}

Result<Spec> parse_spec(std::string_view text) {
  try {
    const json j = json::parse(text);
    if (!j.is_object()) return Error::invalid("the OCI configuration is not a JSON object");
    Spec spec;
    read_spec(j, spec);
    return spec;
  } catch (const std::exception& e) {
    return Error::invalid(std::string("the OCI configuration is not valid: ") + e.what());
  }
}

const Namespace* find_namespace(const Spec& spec, NamespaceType type) {
  for (const auto& ns : spec.linux_.namespaces) {
    if (ns.type == type) return &ns;
  }
  return nullptr;
}

}  // namespace stack::runtime
