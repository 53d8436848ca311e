// What the engine knows: containers, networks and volumes as plain values, in the terms of the
// Docker Engine API, of which ContainerConfig is the create request (Config, HostConfig and
// NetworkingConfig in one). Units: bytes, nanoseconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "scheduler/health.h"
#include "scheduler/observed.h"

namespace stack::engine {

struct HealthcheckConfig {
  std::vector<std::string>
      test;  // {"NONE"}, {"CMD", ...}, {"CMD-SHELL", text}; empty: inherit the image's
  Duration interval{0}, timeout{0}, start_period{0}, start_interval{0};  // 0: default
  int retries = 0;
  bool operator==(const HealthcheckConfig&) const = default;
};

struct MountConfig {
  std::string type;    // bind, volume, tmpfs, image
  std::string source;  // host path, or volume name (empty: anonymous)
  std::string target;
  bool read_only = false;
  std::string propagation;  // bind: rprivate, rshared, ...
  bool create_host_path = false;
  bool recursive = true;
  bool no_copy = false;
  std::string subpath;
  std::int64_t tmpfs_size = 0;
  std::optional<std::uint32_t> tmpfs_mode;
  std::string tmpfs_options;  // HostConfig.Tmpfs text
  std::map<std::string, std::string> volume_labels;
  std::string volume_driver;
  std::map<std::string, std::string> driver_options;
  // As HostConfig.Tmpfs has them: a text of options, no size or mode of its own.
  bool is_plain_tmpfs() const {
    return type == "tmpfs" && tmpfs_size == 0 && !tmpfs_mode && !read_only;
  }
  bool operator==(const MountConfig&) const = default;
};

struct PortBinding {
  int container_port = 0;
  std::string protocol = "tcp";
  std::string host_ip;    // empty: all addresses, v4 and v6
  std::string host_port;  // empty or "0": any free one; "3000-3010": the first free of the range
  bool operator==(const PortBinding&) const = default;
};

struct EndpointConfig {
  std::vector<std::string> aliases;
  std::vector<std::string> links;  // "container:alias"
  std::string ipv4, ipv6, mac;
  std::vector<std::string> link_local_ips;  // beside these, for what speaks by 169.254/16
  int gateway_priority = 0;
  std::string interface_name;
  std::map<std::string, std::string> driver_options;
  bool operator==(const EndpointConfig&) const = default;
};

struct Ulimit {
  std::string name;
  std::int64_t soft = 0, hard = 0;
  bool operator==(const Ulimit&) const = default;
};

struct DeviceMapping {
  std::string host, container, permissions = "rwm";
  bool operator==(const DeviceMapping&) const = default;
};

struct DeviceRate {  // a limit for one block device: bytes or operations a second, or a weight
  std::string path;
  std::int64_t rate = 0;
  bool operator==(const DeviceRate&) const = default;
};

struct ResourceLimits {
  std::int64_t nano_cpus = 0, cpu_shares = 0, cpu_period = 0, cpu_quota = 0;
  std::string cpuset_cpus, cpuset_mems;
  std::int64_t memory = 0, memory_swap = 0, memory_reservation = 0;
  std::optional<std::int64_t> memory_swappiness;
  bool oom_kill_disable = false;
  std::int64_t pids_limit = 0;
  int blkio_weight = 0;
  std::vector<DeviceRate> blkio_weights, read_bps, write_bps, read_iops, write_iops;
  bool operator==(const ResourceLimits&) const = default;
};

struct LogConfig {
  std::string driver = "json-file";
  std::map<std::string, std::string> options;
  bool operator==(const LogConfig&) const = default;
};

struct ContainerConfig {
  // Config
  std::string image;
  std::optional<std::vector<std::string>> cmd, entrypoint;  // nullopt: the image's; empty: none
  std::vector<std::string> env;                             // K=V; "K" alone removes the image's
  std::string working_dir, user, hostname, domainname, mac_address;
  std::map<std::string, std::string> labels;
  std::set<std::string> exposed_ports;  // "6379/tcp"
  std::set<std::string> volumes;        // anonymous volumes by target
  bool tty = false, open_stdin = false, stdin_once = false;
  bool attach_stdin = false, attach_stdout = true, attach_stderr = true;
  std::string stop_signal;
  std::optional<int> stop_timeout;  // seconds
  std::optional<HealthcheckConfig> healthcheck;
  // HostConfig
  std::vector<MountConfig> mounts;
  std::vector<std::string> volumes_from;  // "container[:ro]"
  std::vector<PortBinding> ports;
  bool publish_all_ports = false;
  std::string network_mode = "default";  // default, bridge, none, host, container:ID, or a network
  std::string restart_policy;            // "", no, always, unless-stopped, on-failure
  int restart_max_retries = 0;
  bool auto_remove = false, privileged = false, read_only = false;
  std::optional<bool> init;
  std::vector<std::string> cap_add, cap_drop, dns, dns_options, dns_search, extra_hosts, group_add,
      links, security_opt;
  std::vector<std::string> device_cgroup_rules;
  std::optional<std::vector<std::string>> masked_paths, readonly_paths;
  std::string ipc_mode, pid_mode, uts_mode, cgroupns_mode, userns_mode, cgroup_parent, runtime;
  std::string isolation;      // "" or "default"
  std::string volume_driver;  // of volumes that name none
  std::map<std::string, std::string> sysctls, annotations, storage_options;
  std::vector<Ulimit> ulimits;
  std::vector<DeviceMapping> devices;
  ResourceLimits resources;
  std::int64_t shm_size = 0;
  int oom_score_adj = 0;
  LogConfig log;
  // Members of HostConfig that the client gave as an empty list; others are shown as null.
  std::set<std::string> given_empty;
  // NetworkingConfig
  std::map<std::string, EndpointConfig> networks;  // by network name or id, as asked

  bool operator==(const ContainerConfig&) const = default;
};

using RunState = scheduler::ContainerState;  // what the engine keeps is what the scheduler observes
// It has a program, running or frozen; is_live: or will have one again in a moment.
inline bool is_up(RunState state) {
  return state == RunState::kRunning || state == RunState::kPaused;
}
inline bool is_live(RunState state) { return is_up(state) || state == RunState::kRestarting; }

using scheduler::HealthStatus;
using scheduler::ProbeResult;

struct HealthState {
  HealthStatus status = HealthStatus::kNone;
  int failing_streak = 0;
  std::vector<ProbeResult> log;  // newest last, five at most
};

// One attachment of a container to a network; addresses are kept while the container exists and
// runs.
struct Endpoint {
  std::string id, network_id, network_name;
  EndpointConfig config;
  std::string ipv4, ipv6;  // without prefix length; empty while not running
  int prefix4 = 0, prefix6 = 0;
  std::string gateway4, gateway6, mac, interface, host_veth;
};

struct MountPoint {  // a mount with its volume resolved
  MountConfig config;
  std::string volume;     // volume name when type is volume
  std::string host_path;  // what is bound
  bool anonymous = false;
};
// Where the volume of a mount begins: host_path without the subpath.
inline std::string volume_directory(const MountPoint& mount) {
  const std::string& subpath = mount.config.subpath;
  if (subpath.empty()) return mount.host_path;
  return mount.host_path.substr(0, mount.host_path.size() - subpath.size() - 1);
}

struct AssignedPort {
  int container_port = 0, host_port = 0;
  std::string protocol, host_ip;  // host_ip as shown: "0.0.0.0", "::", "127.0.0.1"
};

struct Container {
  std::string id, name;    // name without the leading slash
  ContainerConfig config;  // as asked, merged with the image's configuration
  std::string image_id;    // sha256:...
  std::string path;        // what is executed
  std::vector<std::string> args;
  WallTime created;

  RunState status = RunState::kCreated;
  int pid = 0;  // on the host; 0 when not running
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;  // why the last start failed
  std::optional<WallTime> started_at, finished_at;
  // The exit of this life is in exit_code, oom_killed and finished_at; what follows from it is under
  // way as long as the status says that it is up.
  bool exit_seen = false;
  int restart_count = 0;
  bool manually_stopped = false;  // stop, kill or rm by a user: no restart until the next start
  bool standby =
      false;  // runs without its service's names and published ports: Containers::take_over
  std::string restart_reason;  // why it is (or was last) restarted: "exited (1)", "unhealthy"
  HealthState health;

  std::vector<Endpoint> endpoints;
  std::vector<MountPoint> mounts;
  std::vector<AssignedPort> ports;  // while running
};

struct IpamPool {
  std::string subnet, gateway, ip_range;
  std::map<std::string, std::string> aux_addresses;
  bool gateway_shown = true;  // false: the user chose the subnet, and the engine its gateway
  bool by_engine = false;     // the engine chose the subnet
  bool operator==(const IpamPool&) const = default;
};

struct NetworkConfig {
  std::string name, driver = "bridge";
  bool internal = false, attachable = false, enable_ipv4 = true, enable_ipv6 = false;
  std::vector<IpamPool> ipam;
  std::string ipam_driver = "default";
  std::map<std::string, std::string> options, labels;
};

struct Network {
  std::string id;
  NetworkConfig config;  // ipam filled in
  WallTime created;
  std::string bridge;
  bool bridge_by_user = false;  // was there before the network, and stays when it goes
  bool predefined = false;      // bridge, host, none
};

struct Volume {
  std::string name, driver = "local", mountpoint;
  std::map<std::string, std::string> options, labels;
  bool anonymous = false;
  WallTime created;
};

}  // namespace stack::engine
