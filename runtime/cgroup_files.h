// What both cgroup versions do alike with directories and files.
#pragma once

#include <string>
#include <vector>

#include "runtime/cgroup.h"

namespace stack::runtime {

// One mounted hierarchy of this machine.
struct CgroupMount {
  std::string point;                     // /sys/fs/cgroup/cpu,cpuacct
  std::vector<std::string> controllers;  // cpu cpuacct; "name=systemd"; empty on v2
  bool v2 = false;
};
// From the text of /proc/self/mountinfo.
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

Status write_cgroup_file(const std::string& path, std::string_view value);
// Removes a group and those below it, retrying while members are dying (up to about a second).
// Absent is fine.
Status remove_cgroup_tree(const std::string& directory);
// Removes `path`'s parents ("/a" of "/a/b/c", never the root) as long as they are empty.
void remove_empty_parents(const std::string& mount_point, const std::string& path);
// The members of a group and of the groups that the container has made below it.
Result<std::vector<pid_t>> read_pids_below(const std::string& group);

// "name value" lines.
std::vector<std::pair<std::string, std::uint64_t>> read_counters(const std::string& file);
std::uint64_t read_counter(const std::string& file, std::uint64_t fallback = 0);
std::uint64_t total_memory();
// Fields of Stats that come from /proc/stat.
void system_cpu(std::uint64_t* total_ns, int* online);

// Freeze, kill and watch through the v2 files, which hybrid hosts have beside v1.
Status v2_freeze(const std::string& directory, bool frozen);
Result<bool> v2_is_frozen(const std::string& directory);

// A program for BPF_CGROUP_DEVICE that enforces the rules; attached to the group, replacing ours if
// there was one.
Status attach_device_program(int cgroup_fd, const std::vector<DeviceRule>& rules);

std::unique_ptr<CgroupSystem> make_cgroup_v1(std::vector<CgroupMount> mounts);
std::unique_ptr<CgroupSystem> make_cgroup_v2(std::string mount_point);

}  // namespace stack::runtime
