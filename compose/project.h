// The resolved project: what the loader makes of all Compose files, and what everything behind it
// works on. Plain values: every short form is expanded, every default of the file format is filled
// in, paths are absolute, variables are replaced.
//
// Conventions: names are those of the Compose Specification. An empty string, list or map and a
// false or zero means "not said" wherever the format cannot tell the two apart; where it can, the
// member is a std::optional. Durations are nanoseconds, sizes are bytes. x-* members are kept as
// compact JSON text. Places in files (`where`) never take part in comparison.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace stack::compose {

using Duration = std::chrono::nanoseconds;
using Bytes = std::int64_t;
using StringList = std::vector<std::string>;
using StringMap = std::map<std::string, std::string>;
using Environment =
    std::map<std::string, std::optional<std::string>>;  // no value: remove the image's
using Extensions = std::map<std::string, std::string>;  // "x-name" -> compact JSON

// Where the user wrote the object; two objects that differ only in this are equal.
struct Where : SourceLoc {
  friend bool operator==(const Where&, const Where&) { return true; }
};

// services.*.x-stack and the project's: our own settings.
struct StackOptions {
  std::string on_unhealthy;  // "restart" (default, when the service has a restart policy) or "none"
  std::string rerun;  // of a job: "always" (default) or "changed": not again while its image,
                      // configuration and inputs are those with which it ended 0

  bool operator==(const StackOptions&) const = default;
};

struct PortConfig {
  std::string name;
  std::string mode = "ingress";
  std::string host_ip;  // empty: all addresses
  std::uint16_t target = 0;
  std::string published;  // "", "8080" or "8000-8010"; "" and "0" are an ephemeral port
  std::string protocol = "tcp";
  std::string app_protocol;
  Extensions extensions;
  Where where;

  bool operator==(const PortConfig&) const = default;
};

struct BindOptions {
  std::string selinux;  // z, Z
  std::string propagation;
  bool create_host_path = false;
  std::string recursive;
  Extensions extensions;

  bool operator==(const BindOptions&) const = default;
};
struct VolumeOptions {
  StringMap labels;
  bool nocopy = false;
  std::string subpath;
  Extensions extensions;

  bool operator==(const VolumeOptions&) const = default;
};
struct TmpfsOptions {
  Bytes size = 0;
  std::uint32_t mode = 0;
  Extensions extensions;

  bool operator==(const TmpfsOptions&) const = default;
};
struct ImageOptions {
  std::string subpath;
  Extensions extensions;

  bool operator==(const ImageOptions&) const = default;
};
// services.*.volumes[]; an anonymous volume has type "volume" and no source. A bind mount without a
// `bind` block creates its source when that is missing, just as one with create_host_path does.
struct MountConfig {
  std::string type;  // bind, volume, tmpfs, image, npipe, cluster
  std::string source;
  std::string target;
  bool read_only = false;
  std::string consistency;
  std::optional<BindOptions> bind;
  std::optional<VolumeOptions> volume;
  std::optional<TmpfsOptions> tmpfs;
  std::optional<ImageOptions> image;
  Extensions extensions;
  Where where;

  bool operator==(const MountConfig&) const = default;
};

// The service named may be absent from the project (no active profile) when `required` is false.
struct Dependency {
  std::string condition = "service_started";  // service_healthy, service_completed_successfully
  bool restart = false;
  bool required = true;
  Extensions extensions;

  bool operator==(const Dependency&) const = default;
};

// services.*.networks.*; a network listed without options is std::nullopt in Service::networks.
struct ServiceNetwork {
  StringList aliases;
  StringMap driver_opts;
  int gw_priority = 0;
  std::string interface_name;
  std::string ipv4_address;
  std::string ipv6_address;
  StringList link_local_ips;
  std::string mac_address;
  int priority = 0;
  Extensions extensions;

  bool operator==(const ServiceNetwork&) const = default;
};

// Members that are not set inherit the image's HEALTHCHECK. test starts with CMD, CMD-SHELL or
// NONE.
struct Healthcheck {
  StringList test;
  std::optional<Duration> timeout;
  std::optional<Duration> interval;
  std::optional<std::uint64_t> retries;
  std::optional<Duration> start_period;
  std::optional<Duration> start_interval;
  bool disable = false;
  Extensions extensions;

  bool operator==(const Healthcheck&) const = default;
};

struct Ulimit {
  std::int64_t soft = 0;
  std::int64_t hard = 0;
  bool single = true;  // written as one number

  bool operator==(const Ulimit&) const = default;
};

// services.*.configs[], services.*.secrets[], build.secrets[]. A secret's target may be relative:
// it is then below /run/secrets. A config without target is at /SOURCE. `mode` not set: 0444.
struct FileReference {
  std::string source;
  std::string target;
  std::string uid;
  std::string gid;
  std::optional<std::uint32_t> mode;
  Extensions extensions;
  Where where;

  bool operator==(const FileReference&) const = default;
};

struct Device {
  std::string source;
  std::string target;
  std::string permissions;
  Extensions extensions;

  bool operator==(const Device&) const = default;
};
struct DeviceRequest {
  StringList capabilities;
  std::string driver;
  std::optional<std::int64_t> count;  // -1: all
  StringList device_ids;
  StringMap options;

  bool operator==(const DeviceRequest&) const = default;
};

struct Logging {
  std::string driver;
  StringMap options;
  Extensions extensions;

  bool operator==(const Logging&) const = default;
};

struct WeightDevice {
  std::string path;
  std::uint16_t weight = 0;

  bool operator==(const WeightDevice&) const = default;
};
struct ThrottleDevice {
  std::string path;
  Bytes rate = 0;

  bool operator==(const ThrottleDevice&) const = default;
};
struct BlkioConfig {
  std::uint16_t weight = 0;
  std::vector<WeightDevice> weight_device;
  std::vector<ThrottleDevice> device_read_bps;
  std::vector<ThrottleDevice> device_read_iops;
  std::vector<ThrottleDevice> device_write_bps;
  std::vector<ThrottleDevice> device_write_iops;

  bool operator==(const BlkioConfig&) const = default;
};

struct Build {
  std::string context;
  std::string dockerfile;
  std::string dockerfile_inline;
  StringList entitlements;
  Environment args;
  std::string provenance;
  std::string sbom;
  StringList ssh;  // "default" or "id=path"
  StringMap labels;
  StringList cache_from;
  StringList cache_to;
  bool no_cache = false;
  StringMap additional_contexts;
  bool pull = false;
  std::map<std::string, StringList> extra_hosts;
  std::string isolation;
  std::string network;
  std::string target;
  std::vector<FileReference> secrets;
  Bytes shm_size = 0;
  StringList tags;
  std::map<std::string, Ulimit> ulimits;
  StringList platforms;
  bool privileged = false;
  Extensions extensions;
  Where where;

  bool operator==(const Build&) const = default;
};

// post_start, pre_stop; also the exec of a watch trigger.
struct Hook {
  StringList command;
  std::string user;
  bool privileged = false;
  std::string working_dir;
  Environment environment;
  Extensions extensions;

  bool operator==(const Hook&) const = default;
};
struct WatchTrigger {
  std::string path;
  std::string action;
  std::string target;
  std::optional<Hook> exec;
  StringList include;
  StringList ignore;
  bool initial_sync = false;
  Extensions extensions;

  bool operator==(const WatchTrigger&) const = default;
};
struct Develop {
  std::vector<WatchTrigger> watch;
  Extensions extensions;

  bool operator==(const Develop&) const = default;
};

struct Resources {
  float cpus = 0;
  Bytes memory = 0;
  std::int64_t pids = 0;
  std::vector<DeviceRequest> devices;
  struct GenericResource {
    std::string kind;
    std::int64_t value = 0;
    Extensions spec_extensions;  // of its discrete_resource_spec
    Extensions extensions;

    bool operator==(const GenericResource&) const = default;
  };
  std::vector<GenericResource> generic_resources;
  Extensions extensions;

  bool operator==(const Resources&) const = default;
};
struct UpdateConfig {
  std::optional<std::uint64_t> parallelism;
  Duration delay{};
  std::string failure_action;
  Duration monitor{};
  float max_failure_ratio = 0;
  std::string order;
  Extensions extensions;

  bool operator==(const UpdateConfig&) const = default;
};
struct RestartPolicy {
  std::string condition;
  std::optional<Duration> delay;
  std::optional<std::uint64_t> max_attempts;
  std::optional<Duration> window;
  Extensions extensions;

  bool operator==(const RestartPolicy&) const = default;
};
struct PlacementPreference {
  std::string spread;
  Extensions extensions;

  bool operator==(const PlacementPreference&) const = default;
};
struct Placement {
  StringList constraints;
  std::vector<PlacementPreference> preferences;
  std::uint64_t max_replicas_per_node = 0;
  Extensions extensions;

  bool operator==(const Placement&) const = default;
};
struct Deploy {
  std::string mode;
  std::optional<int> replicas;
  StringMap labels;
  std::optional<UpdateConfig> update_config;
  std::optional<UpdateConfig> rollback_config;
  std::optional<Resources> limits;
  std::optional<Resources> reservations;
  Extensions resources_extensions;  // beside limits and reservations
  std::optional<RestartPolicy> restart_policy;
  Placement placement;
  std::string endpoint_mode;
  Extensions extensions;

  bool operator==(const Deploy&) const = default;
};

struct Provider {
  std::string type;
  std::map<std::string, StringList> options;
  Extensions extensions;

  bool operator==(const Provider&) const = default;
};
struct CredentialSpec {
  std::string config;
  std::string file;
  std::string registry;
  Extensions extensions;

  bool operator==(const CredentialSpec&) const = default;
};
struct ServiceModel {
  std::string endpoint_var;
  std::string model_var;
  Extensions extensions;

  bool operator==(const ServiceModel&) const = default;
};

struct Service {
  std::string name;
  StringList profiles;
  StringMap annotations;
  std::optional<bool> attach;
  std::optional<Build> build;
  std::optional<Develop> develop;
  std::optional<BlkioConfig> blkio_config;
  StringList cap_add;
  StringList cap_drop;
  std::string cgroup_parent;
  std::string cgroup;
  std::int64_t cpu_count = 0;
  float cpu_percent = 0;
  std::int64_t cpu_period = 0;
  std::int64_t cpu_quota = 0;
  std::int64_t cpu_rt_period = 0;
  std::int64_t cpu_rt_runtime = 0;
  float cpus = 0;
  std::string cpuset;
  std::int64_t cpu_shares = 0;
  std::optional<StringList> command;  // not set: the image's; empty: none
  std::vector<FileReference> configs;
  std::string container_name;
  std::optional<CredentialSpec> credential_spec;
  std::map<std::string, Dependency> depends_on;
  std::optional<Deploy> deploy;
  StringList device_cgroup_rules;
  std::vector<Device> devices;
  StringList dns;
  StringList dns_opt;
  StringList dns_search;
  std::string domainname;
  std::optional<StringList> entrypoint;  // not set: the image's; empty: none
  std::optional<Provider> provider;
  Environment environment;  // env_file and the environment of the project are folded in
  StringList expose;
  StringList external_links;
  std::map<std::string, StringList> extra_hosts;  // host -> addresses
  StringList group_add;
  std::vector<DeviceRequest> gpus;
  std::string hostname;
  std::optional<Healthcheck> healthcheck;
  std::string image;
  std::optional<bool> init;
  std::string ipc;
  std::string isolation;
  StringMap labels;  // label_file is folded in
  StringList links;
  std::optional<Logging> logging;
  Bytes mem_limit = 0;
  Bytes mem_reservation = 0;
  Bytes memswap_limit = 0;
  Bytes mem_swappiness = 0;
  std::string mac_address;
  std::map<std::string, std::optional<ServiceModel>> models;
  std::string network_mode;
  std::map<std::string, std::optional<ServiceNetwork>> networks;
  bool oom_kill_disable = false;
  std::int64_t oom_score_adj = 0;
  std::string pid;
  std::int64_t pids_limit = 0;
  std::string platform;
  std::vector<PortConfig> ports;
  bool privileged = false;
  std::string pull_policy;
  bool read_only = false;
  std::string restart;
  std::string runtime;
  std::optional<int> scale;
  std::vector<FileReference> secrets;
  StringList security_opt;
  Bytes shm_size = 0;
  bool stdin_open = false;
  std::optional<Duration> stop_grace_period;
  std::string stop_signal;
  StringMap storage_opt;
  StringMap sysctls;
  StringList tmpfs;
  bool tty = false;
  std::map<std::string, Ulimit> ulimits;
  bool use_api_socket = false;
  std::string user;
  std::string userns_mode;
  std::string uts;
  std::vector<MountConfig> volumes;
  StringList volumes_from;
  std::string working_dir;
  std::vector<Hook> post_start;
  std::vector<Hook> pre_stop;
  Extensions extensions;
  StackOptions x_stack;  // read from extensions
  Where where;

  bool operator==(const Service&) const = default;
};

struct IpamPool {
  std::string subnet;
  std::string gateway;
  std::string ip_range;
  StringMap aux_addresses;

  bool operator==(const IpamPool&) const = default;
};
struct Ipam {
  std::string driver;
  std::vector<IpamPool> config;
  Extensions extensions;

  bool operator==(const Ipam&) const = default;
};
struct Network {
  std::string name;  // the engine's name; the key in Project::networks is the project's
  std::string driver;
  StringMap driver_opts;
  Ipam ipam;
  bool external = false;
  bool internal = false;
  bool attachable = false;
  StringMap labels;
  std::optional<bool> enable_ipv4;
  std::optional<bool> enable_ipv6;
  Extensions extensions;
  Where where;

  bool operator==(const Network&) const = default;
};
struct Volume {
  std::string name;
  std::string driver;
  StringMap driver_opts;
  bool external = false;
  StringMap labels;
  Extensions extensions;
  Where where;

  bool operator==(const Volume&) const = default;
};
// Top-level configs and secrets: exactly one of file, environment, content (configs only) unless
// external.
struct FileSource {
  std::string name;
  std::string file;
  std::string environment;
  std::string content;
  bool external = false;
  StringMap labels;
  std::string driver;
  StringMap driver_opts;
  std::string template_driver;
  Extensions extensions;
  Where where;

  bool operator==(const FileSource&) const = default;
};
struct Model {
  std::string name;
  std::string model;
  std::int64_t context_size = 0;
  StringList runtime_flags;
  Extensions extensions;

  bool operator==(const Model&) const = default;
};

// What the canonical document does not say: it travels beside it and does not take part in
// comparison.
struct Origin {
  std::string working_dir;       // absolute
  StringList config_files;       // absolute, in the order of -f
  StringList environment_files;  // given with --env-file, absolute
  StringMap environment;         // process and env files, as used for interpolation
  std::map<std::string, Service> disabled_services;  // no active profile

  friend bool operator==(const Origin&, const Origin&) { return true; }
};

struct Project : Origin {
  std::string name;
  std::map<std::string, Service> services;
  std::map<std::string, Network> networks;
  std::map<std::string, Volume> volumes;
  std::map<std::string, FileSource> secrets;
  std::map<std::string, FileSource> configs;
  std::map<std::string, Model> models;
  Extensions extensions;
  StackOptions x_stack;

  bool operator==(const Project&) const = default;
};

}  // namespace stack::compose
