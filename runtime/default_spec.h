// From the options of a container to the OCI configuration that Docker would have written for it.
// Almost pure: `Host` carries what it needs to know about the machine, and `devices` are looked up
// on the host (stat). Errors have Docker's texts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runtime/spec.h"

namespace stack::runtime {

enum class MountKind { kBind, kVolume, kTmpfs };
enum class BindRecursive { kEnabled, kDisabled, kWritable, kReadonly };

struct MountOption {
  MountKind kind = MountKind::kBind;
  std::string source;  // host path (also of a volume); empty for tmpfs
  std::string target;  // absolute path in the container
  bool read_only = false;
  std::string propagation;  // "", rprivate, private, rshared, shared, rslave, slave
  BindRecursive recursive = BindRecursive::kEnabled;
  std::uint64_t tmpfs_size = 0;  // 0: no limit
  std::optional<std::uint32_t> tmpfs_mode;
  // When not empty, a directory that `source` begins with and that no link in it leads out of.
  std::string source_root = {};
};

struct DeviceMapping {
  std::string host_path;
  std::string container_path;  // empty: the same
  std::string permissions = "rwm";
};

struct Ulimit {
  std::string name;  // "nofile"
  std::int64_t soft = 0;
  std::int64_t hard = 0;
};

enum class NamespaceMode {
  kPrivate,
  kHost,
  kPath,  // join the one at `path` (another container's /proc/PID/ns/X)
  kNone,  // ipc only: private, without /dev/shm
};

struct NamespaceOption {
  NamespaceMode mode = NamespaceMode::kPrivate;
  std::string path;
};

struct ContainerOptions {
  std::string id;  // 64 hexadecimal digits
  std::vector<std::string> args;
  std::vector<std::string>
      env;  // complete and in order: default_spec adds only PATH, HOSTNAME and TERM when missing
  std::string cwd = "/";
  std::string user;
  std::vector<std::string> group_add;
  bool tty = false;
  std::string hostname;  // empty: first 12 digits of the id
  std::string domainname;
  std::vector<std::string> cap_add, cap_drop;
  bool privileged = false;
  bool read_only = false;
  std::vector<MountOption> mounts;
  std::map<std::string, std::string> tmpfs;  // target -> options ("size=1m,exec"), the short form
  std::uint64_t shm_size = 0;                // 0: 64 MiB
  std::string shm_path;  // host directory to bind on /dev/shm instead (shareable or joined ipc)
  std::vector<DeviceMapping> devices;
  std::vector<std::string> device_cgroup_rules;  // "c 42:* rwm"
  std::vector<Ulimit> ulimits;
  std::map<std::string, std::string> sysctls;
  int oom_score_adj = 0;
  bool no_new_privileges = false;
  // empty: Docker's default policy; "unconfined": none; else the text of a profile (JSON)
  std::string seccomp;
  Resources resources;  // devices inside are ignored
  NamespaceOption pid, ipc, uts, network;
  std::optional<NamespaceOption> cgroup;  // absent: host on cgroup v1, private on v2
  std::optional<std::vector<std::string>> masked_paths, readonly_paths;
  std::string cgroup_parent;  // empty: "/stack"
  std::map<std::string, std::string> annotations;
};

// What the specification depends on besides the options. `Host::current()` asks the kernel.
struct Host {
  bool cgroup_v2 = false;
  std::uint64_t capabilities = 0;  // our own bounding set
  int cpus = 1;
  std::vector<std::string>
      thermal_paths;  // /sys/devices/system/cpu/cpuN/thermal_throttle that exist
  static Host current();
};

Result<Spec> default_spec(const ContainerOptions& options, const Host& host);

// The limits that Docker checks when a container is created or updated, with its texts.
Status check_resources(const Resources& resources, const Host& host);

}  // namespace stack::runtime
