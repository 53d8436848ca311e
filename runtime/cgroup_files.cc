#include "runtime/cgroup_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "runtime/container.h"

namespace stack::runtime {

namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void sleep_ms(long ms) {
  const timespec t{ms / 1000, ms % 1000 * 1000000};
  ::nanosleep(&t, nullptr);
}

// One attempt: children first. The errno of the first failure, 0 when all is gone.
int remove_once(const std::string& directory) {
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return errno == ENOENT ? 0 : errno;
  int failed = 0;
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_type != DT_DIR || std::strcmp(entry->d_name, ".") == 0 ||
        std::strcmp(entry->d_name, "..") == 0)
      continue;
    const int error = remove_once(directory + "/" + entry->d_name);
    if (error != 0 && failed == 0) failed = error;
  }
  ::closedir(dir);
  if (failed != 0) return failed;
  return ::rmdir(directory.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

}  // namespace

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  // id parent major:minor root point options [tags] - fstype source super-options,
  // proc_pid_mountinfo(5)
  std::vector<CgroupMount> mounts;
  for (const auto& line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto before = split(std::string_view(line).substr(0, dash), ' ');
    const auto after = split(std::string_view(line).substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3 || before[3] != "/") continue;
    CgroupMount mount;
    mount.point = before[4];
    if (after[0] == "cgroup2") {
      mount.v2 = true;
    } else if (after[0] == "cgroup") {
      for (const auto& option : split(after[2], ',')) {
        // The first words are flags of every hierarchy.
        if (option == "rw" || option == "ro" || option == "none" || option == "xattr" ||
            option == "noprefix" || option == "clone_children" || option == "cpuset_v2_mode" ||
            option == "favordynmods" || option.starts_with("release_agent=")) {
          continue;
        }
        mount.controllers.push_back(option);
      }
    } else {
      continue;
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Status write_cgroup_file(const std::string& path, std::string_view value) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return Error::os(errno, "opening " + path);
  if (::write(fd.get(), value.data(), value.size()) < 0) {
    return Error::os(errno, "writing \"" + std::string(value) + "\" to " + path);
  }
  return ok_status();
}

Status remove_cgroup_tree(const std::string& directory) {
  // A killed member is listed until it is reaped, and the kernel says EBUSY so long.
  int error = remove_once(directory);
  for (long wait = 1; error == EBUSY && wait <= 512; wait *= 2) {
    sleep_ms(wait);
    error = remove_once(directory);
  }
  if (error != 0) return Error::os(error, "removing cgroup " + directory);
  return ok_status();
}

void remove_empty_parents(const std::string& mount_point, const std::string& path) {
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    if (::rmdir((mount_point + path.substr(0, slash)).c_str()) != 0 && errno != ENOENT) return;
  }
}

namespace {
Result<std::vector<pid_t>> read_pids(const std::filesystem::path& group) {
  const std::string text = TRY(read_file(group / "cgroup.procs"));
  std::vector<pid_t> pids;
  for (const auto& line : split(text, '\n'))
    pids.push_back(static_cast<pid_t>(std::atol(line.c_str())));
  return pids;
}
}  // namespace

Result<std::vector<pid_t>> read_pids_below(const std::string& group) {
  std::vector<pid_t> pids = TRY(read_pids(group));
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(group, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (!it->is_directory(error)) continue;
    // A group may go while it is looked at.
    if (const auto more = read_pids(it->path()); more.ok()) {
      pids.insert(pids.end(), more->begin(), more->end());
    }
  }
  return pids;
}

std::vector<std::pair<std::string, std::uint64_t>> read_counters(const std::string& file) {
  std::vector<std::pair<std::string, std::uint64_t>> counters;
  const auto text = read_file(file, 1U << 20U);
  if (!text.ok()) return counters;
  for (const auto& line : split(*text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() == 2)
      counters.emplace_back(words[0], std::strtoull(words[1].c_str(), nullptr, 10));
  }
  return counters;
}

std::uint64_t read_counter(const std::string& file, std::uint64_t fallback) {
  const auto text = read_file(file, 4096);
  if (!text.ok() || text->empty() || (*text)[0] < '0' || (*text)[0] > '9') return fallback;
  return std::strtoull(text->c_str(), nullptr, 10);
}

std::uint64_t total_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void system_cpu(std::uint64_t* total_ns, int* online) {
  const auto text = read_file("/proc/stat");
  if (!text.ok()) return;
  for (const auto& line : split(*text, '\n')) {
    const auto words = split(line, ' ');
    if (words[0] == "cpu") {
      std::uint64_t ticks = 0;
      // user nice system idle iowait irq softirq steal; guest time is part of user already
      for (std::size_t i = 1; i < words.size() && i <= 8; ++i)
        ticks += std::strtoull(words[i].c_str(), nullptr, 10);
      *total_ns = ticks * (1000000000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
    } else if (words[0].starts_with("cpu")) {
      ++*online;
    }
  }
}

Result<bool> v2_is_frozen(const std::string& directory) {
  const std::string text = TRY(read_file(directory + "/cgroup.events", 4096));
  return text.find("frozen 1") != std::string::npos;
}

Status v2_freeze(const std::string& directory, bool frozen) {
  TRY(write_cgroup_file(directory + "/cgroup.freeze", frozen ? "1" : "0"));
  // cgroup.events wakes pollers with POLLPRI when a value changes.
  Fd events = TRY(open_fd(directory + "/cgroup.events", O_RDONLY | O_CLOEXEC));
  for (int round = 0; round < 200; ++round) {
    if (TRY(v2_is_frozen(directory)) == frozen) return ok_status();
    char drain[256];
    (void)!::pread(events.get(), drain, sizeof drain, 0);
    pollfd p{events.get(), POLLPRI, 0};
    ::poll(&p, 1, 10);
  }
  if (frozen) (void)write_cgroup_file(directory + "/cgroup.freeze", "0");
  return Error::make(ErrorKind::kTimeout, "the processes in " + directory + " did not freeze");
}

Result<std::unique_ptr<CgroupSystem>> CgroupSystem::detect() {
  std::vector<CgroupMount> mounts = parse_cgroup_mounts(TRY(read_file("/proc/self/mountinfo")));
  bool has_v1 = false;
  std::string unified;
  for (const auto& mount : mounts) {
    has_v1 |= !mount.v2;
    if (mount.v2 && unified.empty()) unified = mount.point;
  }
  if (has_v1) return make_cgroup_v1(std::move(mounts));
  if (unified.empty()) {
    return std::move(Error::not_found("no control group file system is mounted"))
        .fix("Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup");
  }
  return make_cgroup_v2(std::move(unified));
}

}  // namespace stack::runtime
