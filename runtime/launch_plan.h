// The engine's side of the launch plan: values, their bytes (plan_wire.h), and the way from an OCI
// spec to them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"
#include "runtime/plan_wire.h"
#include "runtime/seccomp.h"

namespace stack::runtime {

struct ProcessPlan {
  std::uint32_t flags = 0;
  std::string user;
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> gids;
  std::vector<std::string> group_names, args, env;
  std::string cwd;
  std::uint32_t umask = 022;
  CapabilityMask bounding = 0, effective = 0, permitted = 0, inheritable = 0, ambient = 0;
  struct Limit {
    std::uint32_t resource = 0;
    std::uint64_t soft = 0, hard = 0;
  };
  std::vector<Limit> rlimits;
  std::int32_t oom_score_adj = 0;
  SeccompFilter seccomp;
};

// Of a bind: `data` is the source_root of runtime/default_spec.h.
struct MountPlan {
  std::uint32_t flags = 0;
  std::string target, source, fstype, data;
  std::uint64_t attr_set = 0, attr_clear = 0, propagation = 0;
};

struct LaunchPlan {
  std::uint32_t flags = 0;
  std::string id, run_dir, log_file;
  std::uint64_t log_max_size = 0;
  std::uint32_t log_max_file = 1;
  std::uint32_t rows = 0, cols = 0;
  std::uint64_t clone_flags = 0;
  int netns_fd = -1, unified_fd = -1, oom_fd = -1, init_fd = -1, in_fd = -1, out_fd = -1,
      err_fd = -1;
  std::vector<std::uint32_t> tasks;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> clients;
  std::vector<std::pair<std::uint32_t, std::string>> joins;
  ProcessPlan process;
  std::string hostname, domainname;
  std::vector<std::string> lowers;
  std::string upper, work, root_path;
  std::uint32_t root_propagation = 0;
  std::vector<MountPlan> mounts;
  std::vector<std::pair<std::string, std::string>> symlinks;
  std::vector<Device> devices;
  std::vector<std::pair<std::string, std::string>> sysctls;
  std::vector<std::string> masked, readonly;
};

std::string encode(const LaunchPlan& plan);
std::string encode(const ProcessPlan& process);
Result<ProcessPlan> decode_process(std::string_view bytes);

// Everything but descriptors. `cgroup_views` say what /sys/fs/cgroup shows.
Result<LaunchPlan> make_plan(const StartRequest& request, const SeccompFilter& filter,
                             const std::vector<CgroupView>& cgroup_views, bool cgroup_v2);
Result<ProcessPlan> make_process_plan(const Process& process, const std::string& user_override,
                                      const SeccompFilter& filter);
// One OCI mount; options become attributes, propagation and data of the file system.
Result<MountPlan> make_mount_plan(const Mount& mount);

// "K=V" lists: the later one wins but keeps the first one's place.
std::vector<std::string> merge_env(const std::vector<std::string>& base,
                                   const std::vector<std::string>& over);

}  // namespace stack::runtime
