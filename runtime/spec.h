// The OCI runtime configuration (runtime-spec 1.2, config.json) as plain values, and its JSON form.
//
// Two fields go beyond the specification because Docker resolves names in the container's own files
// at each start: User::username ("name", "uid", "name:group", ...; when not empty it wins over uid
// and gid) and User::group_names. Unknown JSON fields are ignored, as the specification demands;
// wrong types are errors that name the field.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::runtime {

struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  bool operator==(const Rlimit&) const = default;
};

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::optional<std::uint32_t> umask;  // 0022 when absent
  std::vector<std::uint32_t> additional_gids;
  std::string username;  // resolved in the root file system when the program starts
  std::vector<std::string>
      group_names;  // names or numbers, appended to the groups; resolved likewise
  bool operator==(const User&) const = default;
};

struct Capabilities {  // names with CAP_
  std::vector<std::string> bounding, effective, inheritable, permitted, ambient;
  bool operator==(const Capabilities&) const = default;
};

struct ConsoleSize {
  std::uint16_t height = 0;
  std::uint16_t width = 0;
  bool operator==(const ConsoleSize&) const = default;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;  // "K=V"; the last of two equal names wins
  std::string cwd = "/";
  std::optional<Capabilities> capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::optional<int> oom_score_adj;
  bool operator==(const Process&) const = default;
};

// An option of ours: the directory that follows begins the source of a bind, and no link below it
// leads out of it.
inline constexpr std::string_view kSourceRootOption = "x-stack.source-root=";

struct Mount {
  std::string destination;
  std::string type;                  // "bind", "tmpfs", "proc", "cgroup", ...
  std::string source;                // host path of a bind
  std::vector<std::string> options;  // mount(8)'s, and kSourceRootOption
  bool operator==(const Mount&) const = default;
};

enum class NamespaceType { kMount, kPid, kNetwork, kIpc, kUts, kUser, kCgroup, kTime };

struct Namespace {
  NamespaceType type = NamespaceType::kMount;
  std::string path;  // empty: a new one
  bool operator==(const Namespace&) const = default;
};

struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;
  bool operator==(const IdMapping&) const = default;
};

struct Device {
  std::string path;
  char type = 'c';  // c, b or p
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint32_t file_mode = 0666;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const Device&) const = default;
};

struct DeviceRule {
  bool allow = false;
  char type = 'a';                    // a, b or c
  std::optional<std::int64_t> major;  // absent: all
  std::optional<std::int64_t> minor;
  std::string access = "rwm";
  bool operator==(const DeviceRule&) const = default;
};

struct WeightDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint16_t weight = 0;
  bool operator==(const WeightDevice&) const = default;
};

struct ThrottleDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint64_t rate = 0;
  bool operator==(const ThrottleDevice&) const = default;
};

struct HugepageLimit {
  std::string page_size;  // "2MB"
  std::uint64_t limit = 0;
  bool operator==(const HugepageLimit&) const = default;
};

// Limits. Absent means "leave it"; -1 means unlimited where a limit can be.
struct Resources {
  std::vector<DeviceRule> devices;  // in order, the last match wins
  std::optional<std::int64_t> memory_limit;
  std::optional<std::int64_t> memory_swap;  // memory + swap
  std::optional<std::int64_t> memory_reservation;
  std::optional<std::uint64_t> memory_swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<std::uint64_t> cpu_shares;
  std::optional<std::int64_t> cpu_quota;  // microseconds a period
  std::optional<std::uint64_t> cpu_period;
  std::optional<std::uint64_t> cpu_burst;
  std::optional<std::int64_t> cpu_idle;
  std::optional<std::int64_t> cpu_realtime_runtime;
  std::optional<std::uint64_t> cpu_realtime_period;
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::optional<std::int64_t> pids_limit;  // <= 0: unlimited
  std::optional<std::uint16_t> blkio_weight;
  std::vector<WeightDevice> blkio_weight_device;
  std::vector<ThrottleDevice> throttle_read_bps, throttle_write_bps, throttle_read_iops,
      throttle_write_iops;
  std::vector<HugepageLimit> hugepage_limits;
  std::map<std::string, std::string> unified;  // cgroup v2 only
  bool operator==(const Resources&) const = default;
};

struct SeccompArg {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;
  std::string op;  // SCMP_CMP_EQ, ...
  bool operator==(const SeccompArg&) const = default;
};

struct SeccompRule {
  std::vector<std::string> names;
  std::string action;  // SCMP_ACT_ALLOW, ...
  std::optional<std::uint32_t> errno_ret;
  std::vector<SeccompArg> args;  // all must match
  bool operator==(const SeccompRule&) const = default;
};

struct Seccomp {
  std::string default_action = "SCMP_ACT_ERRNO";
  std::optional<std::uint32_t> default_errno_ret;
  std::vector<std::string> architectures;
  std::vector<std::string> flags;
  std::vector<SeccompRule> syscalls;
  bool operator==(const Seccomp&) const = default;
};

struct Hook {
  std::string path;
  std::vector<std::string> args, env;
  std::optional<int> timeout;
  bool operator==(const Hook&) const = default;
};

struct Hooks {
  std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart,
      poststop;
  bool empty() const;
  bool operator==(const Hooks&) const = default;
};

struct Linux {
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uid_mappings, gid_mappings;
  std::vector<Device> devices;
  std::string cgroups_path;  // "/stack/ID"
  Resources resources;
  std::map<std::string, std::string> sysctl;
  std::optional<Seccomp> seccomp;
  std::vector<std::string> masked_paths, readonly_paths;
  std::string rootfs_propagation;  // "", private, rprivate, shared, slave, ...
  bool operator==(const Linux&) const = default;
};

struct Spec {
  std::string oci_version = "1.2.1";
  Process process;
  std::string root_path;
  bool root_readonly = false;
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;
  Linux linux_;
  Hooks hooks;
  std::map<std::string, std::string> annotations;
  bool operator==(const Spec&) const = default;
};

Result<Spec> parse_spec(std::string_view json);
std::string to_json(const Spec& spec);

// The namespace of that type in the list, nullptr when the container shares the host's.
const Namespace* find_namespace(const Spec& spec, NamespaceType type);

}  // namespace stack::runtime
