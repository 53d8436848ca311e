// Control groups of version 1 (with or without a unified tree beside it) and version 2 behind one
// interface, chosen once. The conversion of limits into file contents is pure (v1_writes,
// v2_writes).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "runtime/spec.h"

namespace stack::runtime {

struct Stats;

struct CgroupWrite {
  std::string controller;  // v1: whose directory; v2: empty
  std::string file;
  std::string value;
  bool operator==(const CgroupWrite&) const = default;
};

// `raise_swap_first`: the new memory limit is above the present memory+swap limit, so that one has
// to go first.
std::vector<CgroupWrite> v1_writes(const Resources& resources, bool raise_swap_first);
Result<std::vector<CgroupWrite>> v2_writes(const Resources& resources);
std::uint64_t cpu_weight_from_shares(std::uint64_t shares);
// Lines for devices.allow and devices.deny of v1.
std::string v1_device_line(const DeviceRule& rule);

// One hierarchy as the container sees it below /sys/fs/cgroup.
struct CgroupView {
  std::string name;                // directory below /sys/fs/cgroup ("" on v2): "cpu,cpuacct"
  std::string host_path;           // this container's directory on the host
  std::vector<std::string> links;  // symbolic links to `name`: "cpu", "cpuacct"
  std::string mount_data;  // for a fresh mount in a private cgroup namespace: "cpu,cpuacct",
                           // "none,name=systemd"
};

// The handles that a new process needs to enter a cgroup: v1 `tasks` files, to each of which the
// single-threaded process itself writes "0" (cheap: no lock of thread groups), and a v2 directory
// for clone3(2) CLONE_INTO_CGROUP.
struct CgroupHandles {
  std::vector<Fd> tasks;
  Fd unified;
  Fd oom;  // memory.oom_control or memory.events, read for `oom_kill N`
};

class CgroupSystem {
 public:
  virtual ~CgroupSystem() = default;
  virtual bool is_v2() const = 0;
  // Creates the group `path` ("/stack/ID") everywhere and sets its limits. On failure nothing is
  // left.
  virtual Status create(const std::string& path, const Resources& resources) const = 0;
  virtual Status update(const std::string& path, const Resources& resources) const = 0;
  virtual Result<CgroupHandles> open(const std::string& path) const = 0;
  virtual std::vector<CgroupView> views(const std::string& path) const = 0;
  virtual Status freeze(const std::string& path, bool frozen) const = 0;
  virtual Result<bool> is_frozen(const std::string& path) const = 0;
  virtual Result<std::vector<pid_t>> processes(const std::string& path) const = 0;
  virtual Status kill(const std::string& path) const = 0;  // SIGKILL to everything inside
  // Removes it, descendants first, retrying while members are dying; then empty parents that we
  // made (`/stack`).
  virtual Status remove(const std::string& path) const = 0;
  virtual Result<Stats> stats(const std::string& path) const = 0;  // without networks

  static Result<std::unique_ptr<CgroupSystem>> detect();
};

}  // namespace stack::runtime
