#include "engine/api/stats_json.h"

#include <algorithm>

#include "engine/api/text.h"
#include "engine/json_fields.h"

namespace stack::engine::api {

namespace {

Json cpu_json(const std::optional<StatsSample>& sample) {
  const runtime::Stats none;
  const auto& s = sample ? sample->stats : none;
  Json usage = {{"total_usage", s.cpu_total_ns},
                {"usage_in_kernelmode", s.cpu_kernel_ns},
                {"usage_in_usermode", s.cpu_user_ns}};
  if (!s.percpu_ns.empty()) usage["percpu_usage"] = s.percpu_ns;
  Json out = {{"cpu_usage", usage},
              {"throttling_data",
               {{"periods", s.throttle_periods},
                {"throttled_periods", s.throttled_periods},
                {"throttled_time", s.throttled_ns}}}};
  if (sample) {
    out["system_cpu_usage"] = s.system_cpu_ns;
    out["online_cpus"] = s.online_cpus;
  }
  return out;
}

Json block_json(const std::vector<runtime::Stats::BlockIo>& entries) {
  Json out = Json::array();
  for (const auto& e : entries)
    out.push_back({{"major", e.major}, {"minor", e.minor}, {"op", e.op}, {"value", e.value}});
  return out;
}

// Lines of newer kernels' memory.stat (cgroup v1) that Docker's document has no place for.
bool beyond_docker(std::string_view name) {
  constexpr std::string_view kPrefix = "total_";
  if (name.substr(0, kPrefix.size()) == kPrefix) name.remove_prefix(kPrefix.size());
  for (const std::string_view one :
       {"shmem", "swap", "swapcached", "workingset_refault_anon", "workingset_refault_file"}) {
    if (name == one) return true;
  }
  return false;
}

Json memory_json(const runtime::Stats& s) {
  const bool v1 = std::any_of(s.memory_stats.begin(), s.memory_stats.end(), [](const auto& line) {
    return line.first == "hierarchical_memory_limit";
  });
  Json details = Json::object();
  for (const auto& [name, value] : s.memory_stats) {
    if (!v1 || !beyond_docker(name)) details[name] = value;
  }
  Json out = {{"usage", s.memory_usage}, {"stats", details}, {"limit", s.memory_limit}};
  if (s.memory_max_usage != 0) out["max_usage"] = s.memory_max_usage;
  if (s.memory_failcnt != 0) out["failcnt"] = s.memory_failcnt;
  return out;
}

}  // namespace

Json stats_json(const Container& c, const std::optional<StatsSample>& now,
                const std::optional<StatsSample>& before) {
  const auto time = [](const std::optional<StatsSample>& sample) {
    return sample ? go_time(sample->time) : go_time(std::optional<WallTime>());
  };
  Json out = {{"name", "/" + c.name},
              {"id", c.id},
              {"read", time(now)},
              {"preread", time(before)},
              {"num_procs", 0},
              {"storage_stats", Json::object()},
              {"pids_stats", Json::object()},
              {"cpu_stats", cpu_json(now)},
              {"precpu_stats", cpu_json(before)},
              {"memory_stats", Json::object()}};
  Json& block = out["blkio_stats"];
  for (const char* key :
       {"io_service_bytes_recursive", "io_serviced_recursive", "io_queue_recursive",
        "io_service_time_recursive", "io_wait_time_recursive", "io_merged_recursive",
        "io_time_recursive", "sectors_recursive"}) {
    block[key] = now ? Json::array() : Json();
  }
  if (!now) return out;
  const auto& s = now->stats;
  out["pids_stats"]["current"] = s.pids_current;
  if (s.pids_limit != 0) out["pids_stats"]["limit"] = s.pids_limit;
  block["io_service_bytes_recursive"] = block_json(s.io_service_bytes);
  block["io_serviced_recursive"] = block_json(s.io_serviced);
  out["memory_stats"] = memory_json(s);
  for (const auto& n : s.networks) {
    out["networks"][n.name] = {{"rx_bytes", n.rx_bytes},   {"rx_packets", n.rx_packets},
                               {"rx_errors", n.rx_errors}, {"rx_dropped", n.rx_dropped},
                               {"tx_bytes", n.tx_bytes},   {"tx_packets", n.tx_packets},
                               {"tx_errors", n.tx_errors}, {"tx_dropped", n.tx_dropped}};
  }
  return out;
}

}  // namespace stack::engine::api
