#include <fmt/core.h>

#include "engine/config_json.h"
#include "engine/json_fields.h"

namespace stack::engine {

namespace {

constexpr std::int64_t kMinimumMemory = 6 << 20;
constexpr Duration kMillisecond = std::chrono::milliseconds(1);

void check_resources(const ResourceLimits& r) {
  if (r.memory < 0 || (r.memory > 0 && r.memory < kMinimumMemory))
    bad_value("Minimum memory limit allowed is 6MB");
  if (r.memory > 0 && r.memory_swap > 0 && r.memory_swap < r.memory) {
    bad_value("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (r.memory == 0 && r.memory_swap > 0) {
    bad_value("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (r.memory_swappiness && (*r.memory_swappiness < 0 || *r.memory_swappiness > 100)) {
    bad_value(fmt::format("Invalid value: {}, valid memory swappiness range is 0-100",
                          *r.memory_swappiness));
  }
  if (r.memory_reservation > 0 && r.memory_reservation < kMinimumMemory) {
    bad_value("Minimum memory reservation allowed is 6MB");
  }
  if (r.memory > 0 && r.memory_reservation > r.memory) {
    bad_value("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
  if (r.nano_cpus < 0) bad_value("Invalid value: the number of CPUs cannot be negative");
  if (r.nano_cpus > 0 && r.cpu_period > 0)
    bad_value("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (r.nano_cpus > 0 && r.cpu_quota > 0)
    bad_value("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (r.cpu_shares < 0) {
    bad_value(
        fmt::format("invalid CPU shares ({}): value must be a positive integer", r.cpu_shares));
  }
  if (r.cpu_period != 0 && (r.cpu_period < 1000 || r.cpu_period > 1'000'000)) {
    bad_value(
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (r.cpu_quota > 0 && r.cpu_quota < 1000)
    bad_value("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  if (r.blkio_weight != 0 && (r.blkio_weight < 10 || r.blkio_weight > 1000)) {
    bad_value("range of blkio weight is from 10 to 1000");
  }
}

void check_health(const HealthcheckConfig& h) {
  const auto at_least = [](const char* name, Duration value) {
    if (value.count() != 0 && value < kMillisecond)
      bad_value(fmt::format("{} in Healthcheck cannot be less than 1ms", name));
  };
  at_least("Interval", h.interval);
  at_least("Timeout", h.timeout);
  at_least("StartPeriod", h.start_period);
  at_least("StartInterval", h.start_interval);
  if (h.retries < 0) bad_value("Retries in Healthcheck cannot be negative");
  if (!h.test.empty() && h.test[0] != "NONE" && h.test[0] != "CMD" && h.test[0] != "CMD-SHELL") {
    bad_value(fmt::format("Unknown healthcheck type \"{}\" (expected 'CMD') in healthcheck test",
                          h.test[0]));
  }
}

void check_restart(const ContainerConfig& c) {
  const auto& name = c.restart_policy;
  if (name == "on-failure") {
    if (c.restart_max_retries < 0)
      bad_value("invalid restart policy: maximum retry count cannot be negative");
  } else if (name.empty() || name == "no" || name == "always" || name == "unless-stopped") {
    if (c.restart_max_retries != 0) {
      bad_value("invalid restart policy: maximum retry count can only be used with 'on-failure'");
    }
  } else {
    bad_value(
        fmt::format("invalid restart policy: unknown policy '{}'; use one of 'no', 'always', "
                    "'on-failure', or 'unless-stopped'",
                    name));
  }
  if (c.auto_remove && !name.empty() && name != "no")
    bad_value("can't create 'AutoRemove' container with restart policy");
}

void check_network_mode(const ContainerConfig& c) {
  if (c.uts_mode == "host" && !c.hostname.empty())
    bad_value("conflicting options: hostname and the UTS mode");
  if (c.network_mode.rfind("container:", 0) == 0) {
    if (!c.hostname.empty()) bad_value("conflicting options: hostname and the network mode");
    if (!c.links.empty()) {
      bad_value(
          "conflicting options: container type network can't be used with links. This would result "
          "in undefined behavior");
    }
    if (!c.dns.empty()) bad_value("conflicting options: dns and the network mode");
    if (!c.extra_hosts.empty())
      bad_value("conflicting options: custom host-to-IP mapping and the network mode");
    if (!c.ports.empty() || c.publish_all_ports) {
      bad_value("conflicting options: port publishing and the container type network mode");
    }
    if (!c.exposed_ports.empty())
      bad_value("conflicting options: port exposing and the container type network mode");
  }
  if (c.network_mode == "host" && !c.links.empty()) {
    bad_value(
        "conflicting options: host type networking can't be used with links. This would result in "
        "undefined behavior");
  }
}

}  // namespace

void check_config(const ContainerConfig& c) {
  for (const auto& entry : c.env) {
    if (entry.empty() || entry[0] == '=') bad_value("invalid environment variable: " + entry);
  }
  if (!c.working_dir.empty() && c.working_dir[0] != '/') {
    bad_value(fmt::format("the working directory '{}' is invalid, it needs to be an absolute path",
                          c.working_dir));
  }
  for (const auto& host : c.extra_hosts) {
    if (host.find(':') == std::string::npos && host.find('=') == std::string::npos) {
      bad_value(fmt::format("bad format for add-host: \"{}\"", host));
    }
  }
  for (const auto& limit : c.ulimits) {
    if (limit.hard != -1 && (limit.soft > limit.hard || limit.soft == -1)) {
      bad_value(fmt::format("ulimit soft limit must be less than or equal to hard limit: {} > {}",
                            limit.soft, limit.hard));
    }
  }
  if (c.shm_size < 0) bad_value("SHM size can not be less than 0");
  if (c.oom_score_adj < -1000 || c.oom_score_adj > 1000) {
    bad_value(
        fmt::format("Invalid value {}, range for oom score adj is [-1000, 1000]", c.oom_score_adj));
  }
  if (c.stop_timeout && *c.stop_timeout < -1)
    bad_value("invalid stop timeout: it is -1 (none), 0, or a number of seconds");
  check_resources(c.resources);
  if (c.healthcheck) check_health(*c.healthcheck);
  check_restart(c);
  check_network_mode(c);
}

}  // namespace stack::engine
