#include "engine/container_config.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

namespace stack::engine {

namespace {

std::string_view key_of(const std::string& entry) {
  return std::string_view(entry).substr(0, entry.find('='));
}

bool is_bare(const std::string& entry) { return entry.find('=') == std::string::npos; }

// The image's environment first, then the request's over it in place; a bare "K" takes the image's
// K away, and is remembered as it was said.
std::vector<std::string> merge_env(const std::vector<std::string>& image,
                                   const std::vector<std::string>& asked) {
  std::vector<std::string> out = image;
  for (const auto& entry : asked) {
    const auto same = std::find_if(
        out.begin(), out.end(), [&](const std::string& e) { return key_of(e) == key_of(entry); });
    if (is_bare(entry)) {
      if (same != out.end()) out.erase(same);
      out.push_back(entry);
    } else if (same != out.end()) {
      *same = entry;
    } else {
      out.push_back(entry);
    }
  }
  return out;
}

void merge_healthcheck(ContainerConfig* config, const std::optional<images::Healthcheck>& image) {
  if (!image) return;
  if (!config->healthcheck) config->healthcheck.emplace();
  HealthcheckConfig& h = *config->healthcheck;
  if (h.test.empty()) h.test = image->test;
  if (h.interval.count() == 0) h.interval = image->interval;
  if (h.timeout.count() == 0) h.timeout = image->timeout;
  if (h.start_period.count() == 0) h.start_period = image->start_period;
  if (h.start_interval.count() == 0) h.start_interval = image->start_interval;
  if (h.retries == 0) h.retries = image->retries;
}

Result<std::pair<std::int64_t, std::int64_t>> block_device(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Error::os(errno, path);
  if (!S_ISBLK(info.st_mode)) return Error::invalid(path + " is not a block device");
  return std::pair<std::int64_t, std::int64_t>(major(info.st_rdev), minor(info.st_rdev));
}

Status throttles(const std::vector<DeviceRate>& rates, std::vector<runtime::ThrottleDevice>& out) {
  for (const auto& one : rates) {
    const auto device = TRY(block_device(one.path));
    out.push_back({device.first, device.second, static_cast<std::uint64_t>(one.rate)});
  }
  return ok_status();
}

}  // namespace

Result<ContainerConfig> merge_image_config(ContainerConfig config,
                                           const images::ImageConfig& image) {
  config.env = merge_env(image.env, config.env);
  // An entrypoint of the request drops the image's command: it was meant for the image's
  // entrypoint.
  if (!config.entrypoint) {
    if (!config.cmd || config.cmd->empty()) config.cmd = image.cmd;
    config.entrypoint = image.entrypoint;
  } else if (config.entrypoint->size() == 1 && config.entrypoint->front().empty()) {
    config.entrypoint->clear();
  }
  if (config.user.empty()) config.user = image.user;
  if (config.working_dir.empty()) config.working_dir = image.working_dir;
  if (config.stop_signal.empty()) config.stop_signal = image.stop_signal;
  for (const auto& port : image.exposed_ports)
    config.exposed_ports.insert(port.find('/') == std::string::npos ? port + "/tcp" : port);
  for (const auto& volume : image.volumes) config.volumes.insert(volume);
  for (const auto& [key, value] : image.labels) config.labels.emplace(key, value);
  merge_healthcheck(&config, image.healthcheck);
  if (command_line(config).empty()) return Error::invalid("no command specified");
  return config;
}

std::vector<std::string> command_line(const ContainerConfig& merged) {
  std::vector<std::string> out = merged.entrypoint.value_or(std::vector<std::string>());
  if (merged.cmd) out.insert(out.end(), merged.cmd->begin(), merged.cmd->end());
  return out;
}

std::string hostname_of(const Container& container) {
  return container.config.hostname.empty() ? container.id.substr(0, 12) : container.config.hostname;
}

std::string hosts_file(const ContainerConfig& config, const NetworkIdentity& identity,
                       const std::string& host_gateway) {
  std::string out =
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost "
      "ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n"
      "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";
  for (const auto& entry : config.extra_hosts) {
    const std::size_t colon = entry.find_first_of(":=");
    if (colon == std::string::npos) continue;
    std::string address = entry.substr(colon + 1);
    if (address == "host-gateway") address = host_gateway;
    if (!address.empty() && address.front() == '[') address = address.substr(1, address.size() - 2);
    out += address + "\t" + entry.substr(0, colon) + "\n";
  }
  return out + own_host_lines(identity);
}

std::string own_host_lines(const NetworkIdentity& identity) {
  std::string out;
  for (const auto& address : identity.host_addresses) {
    out += address + "\t";
    if (!identity.domainname.empty()) {
      out += identity.hostname + "." + identity.domainname + " ";
    }
    out += identity.hostname;
    const std::size_t dot = identity.hostname.find('.');
    if (dot != std::string::npos) out += " " + identity.hostname.substr(0, dot);
    out += "\n";
  }
  return out;
}

std::string without_host_lines(const std::string& hosts,
                               const std::vector<std::string>& addresses) {
  std::string out;
  for (std::size_t at = 0; at < hosts.size();) {
    const std::size_t end = std::min(hosts.find('\n', at), hosts.size() - 1) + 1;
    const std::string line = hosts.substr(at, end - at);
    const std::string address = line.substr(0, line.find_first_of(" \t\n"));
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) out += line;
    at = end;
  }
  return out;
}

std::string resolv_conf(const ContainerConfig& config, const NetworkIdentity& identity,
                        const std::string& host_text) {
  if (!identity.own_resolver && config.dns.empty() && config.dns_search.empty() &&
      config.dns_options.empty())
    return host_text;
  std::string out;
  if (identity.own_resolver) {
    out += "nameserver 127.0.0.11\n";
  } else {
    for (const auto& server : config.dns) out += "nameserver " + server + "\n";
  }
  const auto join = [](const std::vector<std::string>& words) {
    std::string line;
    for (const auto& word : words) line += " " + word;
    return line;
  };
  if (!config.dns_search.empty()) {
    out += "search" + join(config.dns_search) + "\n";
  } else {
    // The host's search list goes on to apply: resolv.conf(5).
    std::size_t at = 0;
    while (at < host_text.size()) {
      const std::size_t end = std::min(host_text.find('\n', at), host_text.size());
      const std::string line = host_text.substr(at, end - at);
      if (line.rfind("search ", 0) == 0) out += line + "\n";
      at = end + 1;
    }
  }
  if (!config.dns_options.empty()) {
    out += "options" + join(config.dns_options) + "\n";
  } else if (identity.own_resolver) {
    out += "options ndots:0\n";
  }
  return out;
}

Result<runtime::Resources> runtime_resources(const ResourceLimits& from) {
  runtime::Resources r;
  if (from.nano_cpus > 0) {
    r.cpu_period = 100000;
    r.cpu_quota = from.nano_cpus / 10000;
  }
  if (from.cpu_period > 0) r.cpu_period = static_cast<std::uint64_t>(from.cpu_period);
  if (from.cpu_quota != 0) r.cpu_quota = from.cpu_quota;
  if (from.cpu_shares > 0) r.cpu_shares = static_cast<std::uint64_t>(from.cpu_shares);
  r.cpuset_cpus = from.cpuset_cpus;
  r.cpuset_mems = from.cpuset_mems;
  if (from.memory > 0) r.memory_limit = from.memory;
  if (from.memory_swap != 0) r.memory_swap = from.memory_swap;
  if (from.memory_reservation > 0) r.memory_reservation = from.memory_reservation;
  if (from.memory_swappiness)
    r.memory_swappiness = static_cast<std::uint64_t>(*from.memory_swappiness);
  if (from.oom_kill_disable) r.disable_oom_killer = true;
  if (from.pids_limit != 0) r.pids_limit = from.pids_limit;
  if (from.blkio_weight > 0) r.blkio_weight = static_cast<std::uint16_t>(from.blkio_weight);
  for (const auto& one : from.blkio_weights) {
    const auto device = TRY(block_device(one.path));
    r.blkio_weight_device.push_back(
        {device.first, device.second, static_cast<std::uint16_t>(one.rate)});
  }
  TRY(throttles(from.read_bps, r.throttle_read_bps));
  TRY(throttles(from.write_bps, r.throttle_write_bps));
  TRY(throttles(from.read_iops, r.throttle_read_iops));
  TRY(throttles(from.write_iops, r.throttle_write_iops));
  return r;
}

Result<runtime::ContainerOptions> runtime_options(const Container& container) {
  const ContainerConfig& c = container.config;
  runtime::ContainerOptions o;
  o.id = container.id;
  o.args = command_line(c);
  std::remove_copy_if(c.env.begin(), c.env.end(), std::back_inserter(o.env), is_bare);
  if (!c.working_dir.empty()) o.cwd = c.working_dir;
  o.user = c.user;
  o.group_add = c.group_add;
  o.tty = c.tty;
  o.hostname = c.hostname;
  o.domainname = c.domainname;
  o.cap_add = c.cap_add;
  o.cap_drop = c.cap_drop;
  o.privileged = c.privileged;
  o.read_only = c.read_only;
  o.shm_size = static_cast<std::uint64_t>(c.shm_size);
  for (const auto& device : c.devices)
    o.devices.push_back({device.host, device.container, device.permissions});
  o.device_cgroup_rules = c.device_cgroup_rules;
  for (const auto& limit : c.ulimits) o.ulimits.push_back({limit.name, limit.soft, limit.hard});
  o.sysctls = c.sysctls;
  o.oom_score_adj = c.oom_score_adj;
  for (const auto& option : c.security_opt) {
    const std::size_t separator = option.find_first_of("=:");
    const std::string key = option.substr(0, separator);
    const std::string value =
        separator == std::string::npos ? std::string() : option.substr(separator + 1);
    if (key == "no-new-privileges") {
      o.no_new_privileges = value.empty() || value == "true";
    } else if (key == "seccomp") {
      o.seccomp = value == "builtin" ? std::string() : value;
    } else if (key == "systempaths" && value == "unconfined") {
      o.masked_paths.emplace();
      o.readonly_paths.emplace();
    } else if (key != "apparmor" && key != "label") {
      return Error::invalid(fmt::format("invalid --security-opt 2: \"{}\"", option));
    }
  }
  if (c.masked_paths) o.masked_paths = c.masked_paths;
  if (c.readonly_paths) o.readonly_paths = c.readonly_paths;
  o.cgroup_parent = c.cgroup_parent;
  o.annotations = c.annotations;
  o.resources = TRY(runtime_resources(c.resources));
  return o;
}

}  // namespace stack::engine
