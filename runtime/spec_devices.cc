#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "runtime/spec_parts.h"

namespace stack::runtime {

namespace {

Result<Device> device_at(const std::string& host_path, const std::string& container_path) {
  struct stat st {};
  if (::stat(host_path.c_str(), &st) != 0) {
    return Error::invalid(
        "error gathering device information while adding custom device \"" + host_path +
        "\": " + (errno == ENOENT ? "no such file or directory" : std::strerror(errno)));
  }
  if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) {
    return Error::invalid("error gathering device information while adding custom device \"" +
                          host_path + "\": not a device node");
  }
  Device device;
  device.path = container_path;
  device.type = S_ISCHR(st.st_mode) ? 'c' : 'b';
  device.major = ::major(st.st_rdev);
  device.minor = ::minor(st.st_rdev);
  device.file_mode = st.st_mode & 07777U;
  device.uid = st.st_uid;
  device.gid = st.st_gid;
  return device;
}

// Every device node below a directory; names that containers have of their own are passed over in
// /dev itself.
void nodes_below(const std::string& host_dir, const std::string& container_dir, bool top,
                 std::vector<Device>* devices) {
  static constexpr std::array<std::string_view, 10> kOwn = {
      "pts", "shm", "fd", "mqueue", "console", "ptmx", ".lxc", ".lxd-mounts", ".udev", "log"};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(host_dir, error)) {
    const std::string name = entry.path().filename().string();
    if (top && std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end()) continue;
    struct stat st {};
    if (::lstat(entry.path().c_str(), &st) != 0) continue;
    const std::string inside = container_dir + "/" + name;
    if (S_ISDIR(st.st_mode)) {
      nodes_below(entry.path().string(), inside, false, devices);
    } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
      if (auto device = device_at(entry.path().string(), inside); device.ok())
        devices->push_back(std::move(*device));
    }
  }
  std::sort(devices->begin(), devices->end(),
            [](const Device& a, const Device& b) { return a.path < b.path; });
}

DeviceRule allow(char type, std::optional<std::int64_t> major_number,
                 std::optional<std::int64_t> minor_number, std::string access = "rwm") {
  return {true, type, major_number, minor_number, std::move(access)};
}

}  // namespace

Result<DeviceRule> parse_device_rule(const std::string& text) {
  const auto bad = [&] {
    return Error::invalid("invalid device cgroup rule format: '" + text + "'");
  };
  char type = 0;
  char major_text[32];
  char minor_text[32];
  char access[8];
  int used = 0;
  if (std::sscanf(text.c_str(), "%c %31[0-9*]:%31[0-9*] %7[rwm]%n", &type, major_text, minor_text,
                  access, &used) != 4 ||
      static_cast<std::size_t>(used) != text.size() || std::strchr("acb", type) == nullptr ||
      std::strlen(access) > 3) {
    return bad();
  }
  DeviceRule rule{true, type, std::nullopt, std::nullopt, access};
  for (const auto& [part, target] :
       {std::pair{major_text, &rule.major}, std::pair{minor_text, &rule.minor}}) {
    if (std::strcmp(part, "*") == 0) continue;
    if (std::strchr(part, '*') != nullptr) return bad();
    *target = std::strtoll(part, nullptr, 10);
  }
  return rule;
}

Status set_devices(const ContainerOptions& o, Linux* l) {
  auto& rules = l->resources.devices;
  rules.clear();
  if (o.privileged) {
    rules.push_back(allow('a', std::nullopt, std::nullopt));
    nodes_below("/dev", "/dev", true, &l->devices);
  } else {
    rules.push_back({false, 'a', std::nullopt, std::nullopt, "rwm"});
    rules.push_back(allow('c', std::nullopt, std::nullopt, "m"));  // nodes may be made, not opened
    rules.push_back(allow('b', std::nullopt, std::nullopt, "m"));
    for (const auto& [major_number, minor_number] :
         {std::pair{1, 3}, std::pair{1, 5}, std::pair{1, 7}, std::pair{1, 8}, std::pair{1, 9},
          std::pair{5, 0}, std::pair{5, 1}, std::pair{5, 2}, std::pair{10, 200}}) {
      rules.push_back(allow('c', major_number, minor_number));
    }
    rules.push_back(allow('c', 136, std::nullopt));
  }
  for (const auto& mapping : o.devices) {
    const std::string inside =
        mapping.container_path.empty() ? mapping.host_path : mapping.container_path;
    std::vector<Device> found;
    if (std::error_code error; std::filesystem::is_directory(mapping.host_path, error)) {
      nodes_below(mapping.host_path, inside, false, &found);
    } else {
      found.push_back(TRY(device_at(mapping.host_path, inside)));
    }
    for (auto& device : found) {
      if (!o.privileged)
        rules.push_back(allow(device.type, device.major, device.minor, mapping.permissions));
      std::erase_if(l->devices, [&](const Device& d) { return d.path == device.path; });
      l->devices.push_back(std::move(device));
    }
  }
  for (const auto& text : o.device_cgroup_rules) rules.push_back(TRY(parse_device_rule(text)));
  return ok_status();
}

Status check_sysctl(const std::string& raw, const ContainerOptions& o) {
  std::string name = raw;
  std::replace(name.begin(), name.end(), '/', '.');
  static constexpr std::array<std::string_view, 8> kIpc = {
      "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
      "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};
  if (name.starts_with("net.")) {
    if (o.network.mode == NamespaceMode::kHost) {
      return Error::invalid("sysctl \"" + raw + "\" not allowed in host network namespace");
    }
    return ok_status();
  }
  if (name.starts_with("fs.mqueue.") || std::find(kIpc.begin(), kIpc.end(), name) != kIpc.end()) {
    if (o.ipc.mode == NamespaceMode::kHost) {
      return Error::invalid("sysctl \"" + raw + "\" is not allowed in the hosts ipc namespace");
    }
    return ok_status();
  }
  if (name == "kernel.domainname" && o.uts.mode != NamespaceMode::kHost) return ok_status();
  return Error::invalid("sysctl '" + raw + "' is not allowed");
}

Status check_resources(const Resources& r, const Host& host) {
  constexpr std::int64_t kMinimum = 6 << 20;
  if (r.memory_limit && *r.memory_limit > 0 && *r.memory_limit < kMinimum) {
    return Error::invalid("Minimum memory limit allowed is 6MB");
  }
  if (r.memory_swap && *r.memory_swap > 0) {
    if (r.memory_limit.value_or(0) <= 0) {
      return Error::invalid(
          "You should always set the Memory limit when using Memoryswap limit, see usage");
    }
    if (*r.memory_swap < *r.memory_limit) {
      return Error::invalid(
          "Minimum memoryswap limit should be larger than memory limit, see usage");
    }
  }
  if (r.memory_reservation && *r.memory_reservation > 0) {
    if (*r.memory_reservation < kMinimum)
      return Error::invalid("Minimum memory reservation allowed is 6MB");
    if (r.memory_limit.value_or(0) > 0 && *r.memory_limit < *r.memory_reservation) {
      return Error::invalid(
          "Minimum memory limit can not be less than memory reservation limit, see usage");
    }
  }
  if (r.memory_swappiness && *r.memory_swappiness > 100) {
    return Error::invalid("Invalid value: " + std::to_string(*r.memory_swappiness) +
                          ", valid memory swappiness range is 0-100");
  }
  if (r.cpu_period && *r.cpu_period != 0 && (*r.cpu_period < 1000 || *r.cpu_period > 1000000)) {
    return Error::invalid(
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (r.cpu_quota && *r.cpu_quota > 0) {
    if (*r.cpu_quota < 1000)
      return Error::invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    const double cpus =
        static_cast<double>(*r.cpu_quota) / static_cast<double>(r.cpu_period.value_or(100000));
    if (r.cpu_period.value_or(100000) == 100000 && cpus > host.cpus) {
      char text[160];
      std::snprintf(text, sizeof text,
                    "range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available",
                    host.cpus, host.cpus);
      return Error::invalid(text);
    }
  }
  if (r.blkio_weight && *r.blkio_weight != 0 && (*r.blkio_weight < 10 || *r.blkio_weight > 1000)) {
    return Error::invalid("Range of blkio weight is from 10 to 1000");
  }
  // Highest number in the list "0-1,3": enough to say that a CPU is missing.
  if (!r.cpuset_cpus.empty()) {
    long highest = -1;
    long current = 0;
    for (const char c : r.cpuset_cpus + ",") {
      if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
        current = std::min(current * 10 + (c - '0'), 1000000L);
      } else if (c == ',' || c == '-') {
        highest = std::max(highest, current);
        current = 0;
      } else {
        return Error::invalid("Invalid value " + r.cpuset_cpus + " for cpuset cpus");
      }
    }
    if (highest >= host.cpus) {
      const std::string available = host.cpus == 1 ? "0" : "0-" + std::to_string(host.cpus - 1);
      return Error::invalid("Requested CPUs are not available - requested " + r.cpuset_cpus +
                            ", available: " + available);
    }
  }
  return ok_status();
}

}  // namespace stack::runtime
