#include <algorithm>
#include <cmath>

#include "runtime/cgroup.h"

namespace stack::runtime {

namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

std::string device_value(std::int64_t major, std::int64_t minor, std::uint64_t value) {
  return number(major) + ":" + number(minor) + " " + std::to_string(value);
}

// -1 and, for limits that Docker treats so, 0 are "max".
std::string or_max(std::int64_t value) { return value < 0 ? "max" : number(value); }

void v1_cpu(const Resources& r, std::vector<CgroupWrite>* writes) {
  const auto add = [&](const char* controller, const char* file, std::string value) {
    writes->push_back({controller, file, std::move(value)});
  };
  if (r.cpu_shares && *r.cpu_shares != 0) add("cpu", "cpu.shares", std::to_string(*r.cpu_shares));
  if (r.cpu_period && *r.cpu_period != 0)
    add("cpu", "cpu.cfs_period_us", std::to_string(*r.cpu_period));
  if (r.cpu_quota && *r.cpu_quota != 0) add("cpu", "cpu.cfs_quota_us", number(*r.cpu_quota));
  if (r.cpu_burst) add("cpu", "cpu.cfs_burst_us", std::to_string(*r.cpu_burst));
  if (r.cpu_idle) add("cpu", "cpu.idle", number(*r.cpu_idle));
  if (r.cpu_realtime_period && *r.cpu_realtime_period != 0) {
    add("cpu", "cpu.rt_period_us", std::to_string(*r.cpu_realtime_period));
  }
  if (r.cpu_realtime_runtime && *r.cpu_realtime_runtime != 0) {
    add("cpu", "cpu.rt_runtime_us", number(*r.cpu_realtime_runtime));
  }
  if (!r.cpuset_cpus.empty()) add("cpuset", "cpuset.cpus", r.cpuset_cpus);
  if (!r.cpuset_mems.empty()) add("cpuset", "cpuset.mems", r.cpuset_mems);
}

void v1_memory(const Resources& r, bool raise_swap_first, std::vector<CgroupWrite>* writes) {
  const auto limit = r.memory_limit.value_or(0);
  // Docker: without a value of its own memory+swap is twice the limit.
  std::int64_t swap = r.memory_swap.value_or(0);
  if (swap == 0 && limit > 0) swap = limit * 2;
  std::vector<CgroupWrite> pair;
  if (limit != 0) pair.push_back({"memory", "memory.limit_in_bytes", number(limit)});
  if (swap != 0) pair.push_back({"memory", "memory.memsw.limit_in_bytes", number(swap)});
  // The kernel keeps limit <= memory+swap at every moment.
  if (raise_swap_first || swap < 0) std::reverse(pair.begin(), pair.end());
  writes->insert(writes->end(), pair.begin(), pair.end());
  if (r.memory_reservation && *r.memory_reservation != 0) {
    writes->push_back({"memory", "memory.soft_limit_in_bytes", number(*r.memory_reservation)});
  }
  if (r.memory_swappiness && *r.memory_swappiness <= 100) {
    writes->push_back({"memory", "memory.swappiness", std::to_string(*r.memory_swappiness)});
  }
  if (r.disable_oom_killer.value_or(false))
    writes->push_back({"memory", "memory.oom_control", "1"});
}

void v1_blkio(const Resources& r, std::vector<CgroupWrite>* writes) {
  if (r.blkio_weight && *r.blkio_weight != 0) {
    writes->push_back({"blkio", "blkio.weight", std::to_string(*r.blkio_weight)});
  }
  for (const auto& d : r.blkio_weight_device) {
    writes->push_back({"blkio", "blkio.weight_device", device_value(d.major, d.minor, d.weight)});
  }
  const auto throttle = [&](const std::vector<ThrottleDevice>& list, const char* file) {
    for (const auto& d : list)
      writes->push_back({"blkio", file, device_value(d.major, d.minor, d.rate)});
  };
  throttle(r.throttle_read_bps, "blkio.throttle.read_bps_device");
  throttle(r.throttle_write_bps, "blkio.throttle.write_bps_device");
  throttle(r.throttle_read_iops, "blkio.throttle.read_iops_device");
  throttle(r.throttle_write_iops, "blkio.throttle.write_iops_device");
}

Status v2_memory(const Resources& r, std::vector<CgroupWrite>* writes) {
  const auto limit = r.memory_limit.value_or(0);
  const auto swap = r.memory_swap.value_or(0);
  if (swap > 0 || (swap == 0 && limit > 0)) {
    if (swap > 0 && limit <= 0)
      return Error::invalid("a limit of memory+swap needs a limit of memory");
    const std::int64_t only_swap = swap > 0 ? swap - limit : limit;
    if (only_swap < 0)
      return Error::invalid("the limit of memory+swap is below the limit of memory");
    writes->push_back({"", "memory.swap.max", number(only_swap)});
  } else if (swap < 0) {
    writes->push_back({"", "memory.swap.max", "max"});
  }
  if (limit != 0) writes->push_back({"", "memory.max", or_max(limit)});
  if (r.memory_reservation && *r.memory_reservation != 0) {
    writes->push_back({"", "memory.low", or_max(*r.memory_reservation)});
  }
  return ok_status();
}

void v2_io(const Resources& r, std::vector<CgroupWrite>* writes) {
  if (r.blkio_weight && *r.blkio_weight != 0) {
    const std::uint64_t weight = 1 + (std::uint64_t{*r.blkio_weight} - 10) * 9999 / 990;
    writes->push_back({"", "io.weight", "default " + std::to_string(weight)});
  }
  for (const auto& d : r.blkio_weight_device) {
    writes->push_back(
        {"", "io.weight",
         device_value(d.major, d.minor, 1 + (std::uint64_t{d.weight} - 10) * 9999 / 990)});
  }
  const auto throttle = [&](const std::vector<ThrottleDevice>& list, const char* key) {
    for (const auto& d : list) {
      writes->push_back(
          {"", "io.max",
           number(d.major) + ":" + number(d.minor) + " " + key + "=" + std::to_string(d.rate)});
    }
  };
  throttle(r.throttle_read_bps, "rbps");
  throttle(r.throttle_write_bps, "wbps");
  throttle(r.throttle_read_iops, "riops");
  throttle(r.throttle_write_iops, "wiops");
}

}  // namespace

std::vector<CgroupWrite> v1_writes(const Resources& r, bool raise_swap_first) {
  std::vector<CgroupWrite> writes;
  v1_cpu(r, &writes);
  v1_memory(r, raise_swap_first, &writes);
  if (r.pids_limit) {
    writes.push_back({"pids", "pids.max", *r.pids_limit <= 0 ? "max" : number(*r.pids_limit)});
  }
  v1_blkio(r, &writes);
  for (const auto& [size, limit] : r.hugepage_limits) {
    writes.push_back({"hugetlb", "hugetlb." + size + ".limit_in_bytes", std::to_string(limit)});
  }
  return writes;
}

Result<std::vector<CgroupWrite>> v2_writes(const Resources& r) {
  std::vector<CgroupWrite> writes;
  const auto add = [&](const char* file, std::string value) {
    writes.push_back({"", file, std::move(value)});
  };
  if (r.cpu_realtime_runtime.value_or(0) != 0 || r.cpu_realtime_period.value_or(0) != 0) {
    return Error::invalid("realtime CPU limits do not exist on cgroup v2");
  }
  if (r.cpu_shares && *r.cpu_shares != 0)
    add("cpu.weight", std::to_string(cpu_weight_from_shares(*r.cpu_shares)));
  const bool has_quota = r.cpu_quota.value_or(0) != 0;
  const bool has_period = r.cpu_period.value_or(0) != 0;
  if (has_quota || has_period) {
    const std::string quota = r.cpu_quota.value_or(-1) > 0 ? number(*r.cpu_quota) : "max";
    add("cpu.max", quota + " " + std::to_string(has_period ? *r.cpu_period : 100000));
  }
  if (r.cpu_burst) add("cpu.max.burst", std::to_string(*r.cpu_burst));
  if (r.cpu_idle) add("cpu.idle", number(*r.cpu_idle));
  if (!r.cpuset_cpus.empty()) add("cpuset.cpus", r.cpuset_cpus);
  if (!r.cpuset_mems.empty()) add("cpuset.mems", r.cpuset_mems);
  TRY(v2_memory(r, &writes));
  if (r.pids_limit) add("pids.max", *r.pids_limit <= 0 ? "max" : number(*r.pids_limit));
  v2_io(r, &writes);
  for (const auto& [size, limit] : r.hugepage_limits)
    add(("hugetlb." + size + ".max").c_str(), std::to_string(limit));
  for (const auto& [file, value] : r.unified) {
    if (file.empty() || file.find('/') != std::string::npos || file[0] == '.') {
      return Error::invalid("unified resource \"" + file + "\" must be a file name");
    }
    add(file.c_str(), value);
  }
  return writes;
}

std::uint64_t cpu_weight_from_shares(std::uint64_t shares) {
  if (shares == 0) return 0;
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const double l = std::log2(static_cast<double>(shares));
  // 1024 shares are weight 100, with the ends of both ranges met.
  return static_cast<std::uint64_t>(
      std::ceil(std::pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0)));
}

std::string v1_device_line(const DeviceRule& rule) {
  if (rule.type == 'a' && !rule.major && !rule.minor && rule.access == "rwm") return "a";
  const auto part = [](const std::optional<std::int64_t>& value) {
    return value ? std::to_string(*value) : "*";
  };
  return std::string(1, rule.type) + " " + part(rule.major) + ":" + part(rule.minor) + " " +
         rule.access;
}

}  // namespace stack::runtime
