#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

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
  for (const auto& [what, list] : {std::pair{"cpus", &r.cpuset_cpus}, {"mems", &r.cpuset_mems}}) {
    if (list->find_first_not_of("0123456789,-") != std::string::npos)
      bad_value(fmt::format("Invalid value {0} for cpuset {1}: invalid format: {0}", *list, what));
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
  // PROBE is ours: engine/native_probe.h.
  static const std::set<std::string> kKinds = {"NONE", "CMD", "CMD-SHELL", "PROBE"};
  if (!h.test.empty() && kKinds.count(h.test[0]) == 0) {
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

bool is_one_of(const std::string& mode, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), mode) != words.end();
}
bool names_a_container(const std::string& mode) {
  return mode.rfind("container:", 0) == 0 && mode.size() > std::string_view("container:").size();
}

void check_modes(const ContainerConfig& c) {
  if (!is_one_of(c.pid_mode, {"", "private", "host"}) && !names_a_container(c.pid_mode))
    bad_value("invalid PID mode: " + c.pid_mode);
  if (!is_one_of(c.ipc_mode, {"", "private", "host", "none", "shareable"}) &&
      !names_a_container(c.ipc_mode))
    bad_value("invalid IPC mode: " + c.ipc_mode);
  if (!is_one_of(c.uts_mode, {"", "host"}) && !names_a_container(c.uts_mode))
    bad_value("invalid UTS mode: " + c.uts_mode);
  if (!is_one_of(c.cgroupns_mode, {"", "private", "host"}))
    bad_value("invalid cgroup namespace mode: " + c.cgroupns_mode);
  if (!is_one_of(c.userns_mode, {"", "host"}))
    bad_value("invalid user namespace: " + c.userns_mode);
  if (!is_one_of(c.runtime, {"", "runc", "stack", "io.containerd.runc.v2"}))
    bad_value("unknown or invalid runtime name: " + c.runtime);
}

void check_security(const ContainerConfig& c) {
  for (const auto& option : c.security_opt) {
    const auto key = option.substr(0, option.find_first_of("=:"));
    if (!is_one_of(key, {"no-new-privileges", "seccomp", "systempaths", "apparmor", "label"}))
      bad_value(fmt::format("invalid --security-opt 2: \"{}\"", option));
  }
}

void check_log(const LogConfig& log) {
  if (log.driver == "none") return;
  // "local" keeps what json-file keeps, in the same file; only the form on disk differs.
  if (!is_one_of(log.driver, {"json-file", "local"}))
    bad_value(
        fmt::format("error looking up logging plugin {0}: plugin \"{0}\" not found", log.driver));
  for (const auto& [key, value] : log.options) {
    if (!is_one_of(key, {"max-file", "max-size", "compress", "labels", "labels-regex", "env",
                         "env-regex", "tag", "mode", "max-buffer-size"}))
      bad_value(fmt::format("unknown log opt '{}' for {} log driver", key, log.driver));
  }
}

// 169.254/16 and fe80::/10
bool is_link_local(const std::string& text) {
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1)
    return bytes[0] == 169 && bytes[1] == 254;
  return ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1 && bytes[0] == 0xfe &&
         (bytes[1] & 0xc0U) == 0x80;
}

void check_endpoints(const ContainerConfig& c) {
  const auto refuse = [](const std::string& network, std::string_view why) {
    bad_value(fmt::format("invalid config for network {}: {}", network, why));
  };
  const auto check_mac = [&](const std::string& network, const std::string& mac) {
    const bool well_formed =
        mac.size() == 17 && std::all_of(mac.begin(), mac.end(), [&, i = 0](char ch) mutable {
          return i++ % 3 == 2 ? ch == ':' || ch == '-'
                              : std::isxdigit(static_cast<unsigned char>(ch)) != 0;
        });
    if (!mac.empty() && !well_formed) refuse(network, "invalid MAC address " + mac);
  };
  const auto mode =
      is_one_of(c.network_mode, {"", "default"}) ? std::string("bridge") : c.network_mode;
  check_mac(mode, c.mac_address);
  for (const auto& [name, endpoint] : c.networks) {
    check_mac(name, endpoint.mac);
    for (const auto& text : endpoint.link_local_ips) {
      if (!is_link_local(text))
        refuse(name, "invalid endpoint settings:\ninvalid link-local IP address: " + text);
    }
  }
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

void check_update(const ContainerConfig& changes) {
  ResourceLimits alone = changes.resources;
  if (alone.memory == 0) alone.memory_swap = 0;  // fits the limit that is there, or does not
  check_resources(alone);
  check_restart(changes);
}

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
  check_modes(c);
  check_security(c);
  check_log(c.log);
  check_endpoints(c);
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
