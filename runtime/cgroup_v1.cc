#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/files.h"
#include "base/process.h"
#include "runtime/cgroup_files.h"
#include "runtime/container.h"

namespace stack::runtime {

namespace {

// Controllers in hierarchies of their own; a v2 tree beside them (hybrid host) serves clone3(2),
// freezing and killing.
class CgroupV1 final : public CgroupSystem {
 public:
  explicit CgroupV1(std::vector<CgroupMount> mounts) {
    for (auto& mount : mounts) {
      if (mount.v2) {
        if (unified_.empty()) unified_ = mount.point;
        continue;
      }
      const bool known = std::any_of(v1_.begin(), v1_.end(), [&](const CgroupMount& m) {
        return m.controllers == mount.controllers;
      });
      if (!known) v1_.push_back(std::move(mount));
    }
  }

  bool is_v2() const override { return false; }

  Status create(const std::string& path, const Resources& resources) const override {
    Status status = create_all(path, resources);
    if (!status.ok()) (void)remove(path);
    return status;
  }

  Status update(const std::string& path, const Resources& resources) const override {
    const std::string memory = directory("memory", path);
    bool raise_first = false;
    if (!memory.empty() && resources.memory_limit.value_or(0) > 0) {
      const std::uint64_t present = read_counter(memory + "/memory.memsw.limit_in_bytes", ~0ULL);
      raise_first = static_cast<std::uint64_t>(*resources.memory_limit) > present;
    }
    return apply(path, resources, raise_first);
  }

  Result<CgroupHandles> open(const std::string& path) const override {
    CgroupHandles handles;
    for (const auto& mount : v1_) {
      handles.tasks.push_back(TRY(open_fd(mount.point + path + "/tasks", O_WRONLY | O_CLOEXEC)));
    }
    if (!unified_.empty()) {
      handles.unified = TRY(open_fd(unified_ + path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    if (const std::string memory = directory("memory", path); !memory.empty()) {
      handles.oom = TRY(open_fd(memory + "/memory.oom_control", O_RDONLY | O_CLOEXEC));
    }
    return handles;
  }

  std::vector<CgroupView> views(const std::string& path) const override {
    std::vector<CgroupView> result;
    for (const auto& mount : v1_) {
      CgroupView view;
      view.name = std::filesystem::path(mount.point).filename().string();
      view.host_path = mount.point + path;
      for (const auto& controller : mount.controllers) {
        if (controller.starts_with("name=")) {
          view.mount_data = "none," + controller;
        } else {
          view.mount_data += (view.mount_data.empty() ? "" : ",") + controller;
          if (mount.controllers.size() > 1 && controller != view.name)
            view.links.push_back(controller);
        }
      }
      result.push_back(std::move(view));
    }
    return result;
  }

  Status freeze(const std::string& path, bool frozen) const override {
    if (const std::string freezer = directory("freezer", path); !freezer.empty())
      return v1_freeze(freezer, frozen);
    if (!unified_.empty()) return v2_freeze(unified_ + path, frozen);
    return Error::invalid("this machine has no freezer control group");
  }

  Result<bool> is_frozen(const std::string& path) const override {
    if (const std::string freezer = directory("freezer", path); !freezer.empty()) {
      return TRY(read_file(freezer + "/freezer.state", 64)) == "FROZEN\n";
    }
    if (!unified_.empty()) return v2_is_frozen(unified_ + path);
    return false;
  }

  Result<std::vector<pid_t>> processes(const std::string& path) const override {
    const std::string base = unified_.empty() ? v1_.front().point : unified_;
    return read_pids_below(base + path);
  }

  Status kill(const std::string& path) const override {
    if (!unified_.empty() && write_cgroup_file(unified_ + path + "/cgroup.kill", "1").ok()) {
      // A frozen member dies only when it is thawed.
      if (const std::string freezer = directory("freezer", path); !freezer.empty()) {
        (void)write_cgroup_file(freezer + "/freezer.state", "THAWED");
      }
      return ok_status();
    }
    // Freeze, signal, thaw, until nothing is listed: a fork bomb cannot outrun it.
    const std::string freezer = directory("freezer", path);
    for (int round = 0; round < 50; ++round) {
      if (!freezer.empty()) (void)v1_freeze(freezer, true);
      auto pids = processes(path);
      if (pids.ok()) {
        for (const pid_t pid : *pids) ::kill(pid, SIGKILL);
      }
      if (!freezer.empty()) (void)write_cgroup_file(freezer + "/freezer.state", "THAWED");
      if (!pids.ok() || pids->empty()) return ok_status();
    }
    return Error::make(ErrorKind::kTimeout, "processes in cgroup " + path + " do not die");
  }

  Status remove(const std::string& path) const override {
    Status first = ok_status();
    const auto remove_in = [&](const std::string& point) {
      Status status = remove_cgroup_tree(point + path);
      if (!status.ok() && first.ok()) first = std::move(status);
      remove_empty_parents(point, path);
    };
    for (const auto& mount : v1_) remove_in(mount.point);
    if (!unified_.empty()) remove_in(unified_);
    return first;
  }

  Result<Stats> stats(const std::string& path) const override;

 private:
  // Of the hierarchy with that controller, "" when it is not mounted.
  std::string directory(const std::string& controller, const std::string& path) const {
    for (const auto& mount : v1_) {
      if (std::find(mount.controllers.begin(), mount.controllers.end(), controller) !=
          mount.controllers.end()) {
        return mount.point + path;
      }
    }
    return {};
  }

  static Status v1_freeze(const std::string& freezer, bool frozen) {
    const std::string file = freezer + "/freezer.state";
    TRY(write_cgroup_file(file, frozen ? "FROZEN" : "THAWED"));
    for (int round = 0; round < 2000; ++round) {
      const std::string state = TRY(read_file(file, 64));
      if (state == (frozen ? "FROZEN\n" : "THAWED\n")) return ok_status();
      // FREEZING can stick when a member was forking: thaw shortly and ask again.
      if (frozen && round % 50 == 49) TRY(write_cgroup_file(file, "THAWED"));
      TRY(write_cgroup_file(file, frozen ? "FROZEN" : "THAWED"));
      const timespec t{0, round < 20 ? 200000 : 5000000};
      ::nanosleep(&t, nullptr);
    }
    (void)write_cgroup_file(file, "THAWED");
    return Error::make(ErrorKind::kTimeout, "the processes in " + freezer + " did not freeze");
  }

  Status make_group(const CgroupMount& mount, const std::string& path) const {
    const bool cpuset = std::find(mount.controllers.begin(), mount.controllers.end(), "cpuset") !=
                        mount.controllers.end();
    for (std::size_t slash = 0; slash != std::string::npos;) {
      slash = path.find('/', slash + 1);
      const std::string directory = mount.point + path.substr(0, slash);
      const bool made = ::mkdir(directory.c_str(), 0755) == 0;
      if (!made && errno != EEXIST) {
        // The parent may have been removed by somebody's last container between two steps: the
        // caller tries again.
        return Error::os(errno, "creating cgroup " + directory);
      }
      if (!cpuset) continue;
      // A new cpuset is empty and takes nobody in before it has CPUs and memory nodes.
      const std::string parent = directory.substr(0, directory.rfind('/'));
      for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
        const std::string present = TRY(read_file(directory + file, 4096));
        if (!present.empty() && present != "\n") continue;
        const std::string inherited = TRY(read_file(parent + file, 4096));
        TRY(write_cgroup_file(directory + file, inherited));
      }
      // Groups below are then born with these CPUs and nodes; each write compares all siblings.
      if (made && slash != std::string::npos)
        TRY(write_cgroup_file(directory + "/cgroup.clone_children", "1"));
    }
    return ok_status();
  }

  Status make_group_retrying(const CgroupMount& mount, const std::string& path) const {
    Status status = make_group(mount, path);
    for (int round = 0; round < 5 && !status.ok() && status.error().os_errno == ENOENT; ++round) {
      status = make_group(mount, path);
    }
    return status;
  }

  Status create_all(const std::string& path, const Resources& resources) const {
    for (const auto& mount : v1_) TRY(make_group_retrying(mount, path));
    if (!unified_.empty()) TRY(make_group_retrying({unified_, {}, true}, path));
    const std::string devices = directory("devices", path);
    if (!devices.empty()) {
      for (const auto& rule : resources.devices) {
        TRY(write_cgroup_file(devices + (rule.allow ? "/devices.allow" : "/devices.deny"),
                              v1_device_line(rule)));
      }
    }
    return apply(path, resources, false);
  }

  Status apply(const std::string& path, const Resources& resources, bool raise_swap_first) const {
    if (!resources.unified.empty()) return Error::invalid("unified resources need cgroup v2");
    for (const auto& write : v1_writes(resources, raise_swap_first)) {
      const std::string where = directory(write.controller, path);
      if (where.empty()) {
        return Error::invalid("the limit " + write.file + " needs the control group \"" +
                              write.controller + "\", which is not mounted");
      }
      std::string file = where + "/" + write.file;
      if (write.file.starts_with("blkio.weight") && !exists(file)) {
        file = where + "/blkio.bfq." +
               write.file.substr(6);  // only the BFQ scheduler has weights nowadays
        if (!exists(file)) continue;  // Docker discards the weight with a warning
      }
      // Kernels without swap accounting lack the file.
      if (write.file == "memory.memsw.limit_in_bytes" && !exists(file)) continue;
      TRY(write_cgroup_file(file, write.value));
    }
    return ok_status();
  }

  std::vector<CgroupMount> v1_;
  std::string unified_;
};

std::vector<Stats::BlockIo> read_blkio(const std::string& file) {
  std::vector<Stats::BlockIo> list;
  const auto text = read_file(file, 1U << 20U);
  if (!text.ok()) return list;
  std::size_t at = 0;
  while (at < text->size()) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    unsigned long long major = 0;
    unsigned long long minor = 0;
    unsigned long long value = 0;
    char op[32];
    if (std::sscanf(text->substr(at, end - at).c_str(), "%llu:%llu %31s %llu", &major, &minor, op,
                    &value) == 4) {
      list.push_back({major, minor, op, value});
    }
    at = end + 1;
  }
  return list;
}

Result<Stats> CgroupV1::stats(const std::string& path) const {
  Stats s;
  if (const std::string d = directory("cpuacct", path); !d.empty()) {
    s.cpu_total_ns = read_counter(d + "/cpuacct.usage");
    for (const auto& [name, value] : read_counters(d + "/cpuacct.stat")) {
      const std::uint64_t ns =
          value * (1000000000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
      (name == "system" ? s.cpu_kernel_ns : s.cpu_user_ns) = ns;
    }
    if (const auto text = read_file(d + "/cpuacct.usage_percpu", 65536); text.ok()) {
      char* at = const_cast<char*>(text->c_str());
      for (char* end = at; *at != '\0' && *at != '\n'; at = *end == ' ' ? end + 1 : end) {
        s.percpu_ns.push_back(std::strtoull(at, &end, 10));
        if (end == at) break;
      }
    }
  }
  if (const std::string d = directory("cpu", path); !d.empty()) {
    for (const auto& [name, value] : read_counters(d + "/cpu.stat")) {
      if (name == "nr_periods") s.throttle_periods = value;
      if (name == "nr_throttled") s.throttled_periods = value;
      if (name == "throttled_time") s.throttled_ns = value;
    }
  }
  if (const std::string d = directory("memory", path); !d.empty()) {
    s.memory_usage = read_counter(d + "/memory.usage_in_bytes");
    s.memory_max_usage = read_counter(d + "/memory.max_usage_in_bytes");
    s.memory_failcnt = read_counter(d + "/memory.failcnt");
    s.memory_limit = std::min(read_counter(d + "/memory.limit_in_bytes", ~0ULL), total_memory());
    s.memory_stats = read_counters(d + "/memory.stat");
  }
  if (const std::string d = directory("pids", path); !d.empty()) {
    s.pids_current = read_counter(d + "/pids.current");
    s.pids_limit = read_counter(d + "/pids.max");
  }
  if (const std::string d = directory("blkio", path); !d.empty()) {
    s.io_service_bytes = read_blkio(d + "/blkio.throttle.io_service_bytes");
    s.io_serviced = read_blkio(d + "/blkio.throttle.io_serviced");
  }
  system_cpu(&s.system_cpu_ns, &s.online_cpus);
  return s;
}

}  // namespace

std::unique_ptr<CgroupSystem> make_cgroup_v1(std::vector<CgroupMount> mounts) {
  return std::make_unique<CgroupV1>(std::move(mounts));
}

}  // namespace stack::runtime
