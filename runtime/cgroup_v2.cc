#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <sstream>

#include "base/files.h"
#include "base/process.h"
#include "runtime/cgroup_files.h"
#include "runtime/container.h"

namespace stack::runtime {

namespace {

class CgroupV2 final : public CgroupSystem {
 public:
  explicit CgroupV2(std::string root) : root_(std::move(root)) {}

  bool is_v2() const override { return true; }

  Status create(const std::string& path, const Resources& resources) const override {
    Status status = create_all(path, resources);
    if (!status.ok()) (void)remove(path);
    return status;
  }

  Status update(const std::string& path, const Resources& resources) const override {
    for (const auto& write : TRY(v2_writes(resources))) {
      std::string file = root_ + path + "/" + write.file;
      if (write.file == "memory.swap.max" && !exists(file))
        continue;  // kernel without swap accounting
      if (write.file == "io.weight") {
        // BFQ has the old range of 10 to 1000 in a file of its own.
        const std::string bfq = root_ + path + "/io.bfq.weight";
        if (exists(bfq) && resources.blkio_weight && write.value.starts_with("default")) {
          TRY(write_cgroup_file(bfq, std::to_string(*resources.blkio_weight)));
          continue;
        }
        if (!exists(file)) continue;  // as Docker: discarded
      }
      TRY(write_cgroup_file(file, write.value));
    }
    return ok_status();
  }

  Result<CgroupHandles> open(const std::string& path) const override {
    CgroupHandles handles;
    handles.unified = TRY(open_fd(root_ + path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    handles.oom = Fd(::open((root_ + path + "/memory.events").c_str(), O_RDONLY | O_CLOEXEC));
    return handles;
  }

  std::vector<CgroupView> views(const std::string& path) const override {
    return {{"", root_ + path, {}, ""}};
  }

  Status freeze(const std::string& path, bool frozen) const override {
    return v2_freeze(root_ + path, frozen);
  }
  Result<bool> is_frozen(const std::string& path) const override {
    return v2_is_frozen(root_ + path);
  }

  Result<std::vector<pid_t>> processes(const std::string& path) const override {
    return read_pids_below(root_ + path);
  }

  Status kill(const std::string& path) const override {
    Status status = write_cgroup_file(root_ + path + "/cgroup.kill", "1");
    if (status.ok() || status.error().os_errno != ENOENT || !exists(root_ + path)) {
      return status.ok() || !exists(root_ + path) ? ok_status() : std::move(status);
    }
    (void)v2_freeze(root_ + path, true);  // before Linux 5.14
    for (const pid_t pid : TRY(processes(path))) ::kill(pid, SIGKILL);
    return write_cgroup_file(root_ + path + "/cgroup.freeze", "0");
  }

  Status remove(const std::string& path) const override {
    Status status = remove_cgroup_tree(root_ + path);
    remove_empty_parents(root_, path);
    return status;
  }

  Result<Stats> stats(const std::string& path) const override;

 private:
  Status create_all(const std::string& path, const Resources& resources) const {
    // Controllers are handed down level by level before the leaf exists. A controller that is not
    // there is skipped here; setting a limit of it fails below with the file's name.
    for (std::size_t slash = 0;;) {
      const std::string parent = root_ + path.substr(0, slash);
      TRY(hand_down(parent));
      slash = path.find('/', slash + 1);
      const std::string directory = root_ + path.substr(0, slash);
      if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
        return Error::os(errno, "creating cgroup " + directory);
      if (slash == std::string::npos) break;
    }
    TRY(update(path, resources));
    if (resources.devices.empty()) return ok_status();
    Fd group = TRY(open_fd(root_ + path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return attach_device_program(group.get(), resources.devices);
  }

  static Status hand_down(const std::string& directory) {
    const std::string available = TRY(read_file(directory + "/cgroup.controllers", 4096));
    const std::string enabled = TRY(read_file(directory + "/cgroup.subtree_control", 4096));
    const auto has = [](const std::string& list, const std::string& word) {
      std::istringstream words(list);
      for (std::string item; words >> item;) {
        if (item == word) return true;
      }
      return false;
    };
    std::string wanted;
    for (const char* controller : {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"}) {
      if (has(available, controller) && !has(enabled, controller))
        wanted += std::string(" +") + controller;
    }
    if (wanted.empty()) return ok_status();
    Status status = write_cgroup_file(directory + "/cgroup.subtree_control", wanted.substr(1));
    if (!status.ok() && status.error().os_errno == EBUSY) {
      return std::move(status.error())
          .fix("Processes sit in " + directory + " itself; cgroup v2 allows them only in leaves.");
    }
    return status;
  }

  std::string root_;
};

Result<Stats> CgroupV2::stats(const std::string& path) const {
  const std::string d = root_ + path;
  Stats s;
  for (const auto& [name, value] : read_counters(d + "/cpu.stat")) {
    if (name == "usage_usec") s.cpu_total_ns = value * 1000;
    if (name == "user_usec") s.cpu_user_ns = value * 1000;
    if (name == "system_usec") s.cpu_kernel_ns = value * 1000;
    if (name == "nr_periods") s.throttle_periods = value;
    if (name == "nr_throttled") s.throttled_periods = value;
    if (name == "throttled_usec") s.throttled_ns = value * 1000;
  }
  s.memory_usage = read_counter(d + "/memory.current");
  s.memory_limit = std::min(read_counter(d + "/memory.max", ~0ULL), total_memory());
  s.memory_stats = read_counters(d + "/memory.stat");
  for (const auto& [name, value] : read_counters(d + "/memory.events")) {
    if (name == "oom") s.memory_failcnt = value;
  }
  s.pids_current = read_counter(d + "/pids.current");
  s.pids_limit = read_counter(d + "/pids.max");
  std::istringstream io(
      read_file(d + "/io.stat", 1U << 20U).ok() ? *read_file(d + "/io.stat", 1U << 20U) : "");
  for (std::string line; std::getline(io, line);) {
    unsigned long long major = 0;
    unsigned long long minor = 0;
    unsigned long long rbytes = 0;
    unsigned long long wbytes = 0;
    unsigned long long rios = 0;
    unsigned long long wios = 0;
    if (std::sscanf(line.c_str(), "%llu:%llu rbytes=%llu wbytes=%llu rios=%llu wios=%llu", &major,
                    &minor, &rbytes, &wbytes, &rios, &wios) == 6) {
      s.io_service_bytes.push_back({major, minor, "read", rbytes});
      s.io_service_bytes.push_back({major, minor, "write", wbytes});
      s.io_serviced.push_back({major, minor, "read", rios});
      s.io_serviced.push_back({major, minor, "write", wios});
    }
  }
  system_cpu(&s.system_cpu_ns, &s.online_cpus);
  return s;
}

}  // namespace

std::unique_ptr<CgroupSystem> make_cgroup_v2(std::string mount_point) {
  return std::make_unique<CgroupV2>(std::move(mount_point));
}

}  // namespace stack::runtime
