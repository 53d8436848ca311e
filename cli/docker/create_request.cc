#include "cli/docker/create_request.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/files.h"
#include "cli/docker/csv.h"
#include "cli/docker/mount_spec.h"
#include "cli/docker/network_spec.h"
#include "cli/docker/port_spec.h"
#include "cli/docker/resource_flags.h"
#include "cli/docker/support.h"
#include "cli/document.h"
#include "cli/environment.h"
#include "cli/json_text.h"

namespace stack::cli::docker {

namespace {

constexpr std::int64_t kShortestHealthInterval = 1'000'000;  // nanoseconds

Error conflict(std::string_view a, std::string_view b) {
  return Error::invalid(
      fmt::format("conflicting options: cannot specify both --{} and --{}", a, b));
}

void add_texts(const Arguments& args, JsonObject& out,
               std::initializer_list<std::pair<const char*, const char*>> members) {
  for (const auto& [flag, member] : members) {
    if (args.given(flag)) out.add(member, args.text(flag));
  }
}
void add_lists(const Arguments& args, JsonObject& out,
               std::initializer_list<std::pair<const char*, const char*>> members) {
  for (const auto& [flag, member] : members) {
    if (args.given(flag)) out.add(member, args.list(flag));
  }
}
void add_maps(const Arguments& args, JsonObject& out,
              std::initializer_list<std::pair<const char*, const char*>> members) {
  for (const auto& [flag, member] : members) {
    if (args.given(flag)) out.add(member, pairs(args.list(flag)));
  }
}

// {"a":{},"b":{}}
std::string json_set(const std::vector<std::string>& keys) {
  JsonObject out;
  for (const std::string& key : keys) out.add_json(key, "{}");
  return out.text();
}

Result<std::string> health_json(const Arguments& args) {
  JsonObject health;
  constexpr std::pair<const char*, const char*> kDurations[] = {
      {"health-interval", "Interval"},
      {"health-timeout", "Timeout"},
      {"health-start-period", "StartPeriod"},
      {"health-start-interval", "StartInterval"}};
  if (args.on("no-healthcheck")) {
    if (args.given("health-cmd") || args.given("health-retries") || args.given("health-interval") ||
        args.given("health-timeout"))
      return Error::invalid("--no-healthcheck conflicts with --health-* options");
    return health.add("Test", std::vector<std::string>{"NONE"}).text();
  }
  if (args.given("health-cmd"))
    health.add("Test", std::vector<std::string>{"CMD-SHELL", args.text("health-cmd")});
  for (const auto& [flag, member] : kDurations) {
    if (!args.given(flag)) continue;
    const std::int64_t value = TRY(duration_flag(flag, args.text(flag)));
    if (value != 0 && value < kShortestHealthInterval)
      return Error::invalid(fmt::format("--{} cannot be less than 1ms", flag));
    health.add(member, value);
  }
  if (args.given("health-retries")) {
    const long retries = args.number("health-retries").value_or(0);
    if (retries < 0) return Error::invalid("--health-retries cannot be negative");
    health.add("Retries", static_cast<std::int64_t>(retries));
  }
  return health.empty() ? std::string() : health.text();
}

Result<std::map<std::string, std::string>> labels_of(const Arguments& args) {
  std::map<std::string, std::string> labels;
  for (const std::string& path : args.list("label-file")) {
    for (auto& [name, value] : pairs(TRY(lines_of_env_file(path)))) labels[name] = value;
  }
  for (auto& [name, value] : pairs(args.list("label"))) labels[name] = value;
  return labels;
}

// Files of seccomp profiles are read here: the engine takes their content.
Status add_security(const Arguments& args, JsonObject& host) {
  std::vector<std::string> options;
  for (const std::string& option : args.list("security-opt")) {
    if (option == "systempaths=unconfined") {
      host.add("MaskedPaths", std::vector<std::string>{})
          .add("ReadonlyPaths", std::vector<std::string>{});
      continue;
    }
    const std::size_t cut = option.find_first_of("=:");
    const std::string value = cut == std::string::npos ? "" : option.substr(cut + 1);
    if (option.starts_with("seccomp") && value != "unconfined" && value != "builtin" &&
        !value.empty() && !value.starts_with('{')) {
      const auto profile = read_file(value);
      if (!profile.ok()) {
        return Error::not_found(fmt::format("opening seccomp profile ({}) failed", value))
            .fix("Name a JSON file, or use seccomp=unconfined.");
      }
      options.push_back("seccomp=" + TRY(Document::parse(*profile)).root().compact());
    } else {
      options.push_back(option);
    }
  }
  if (!options.empty()) host.add("SecurityOpt", options);
  return ok_status();
}

Status add_mounts(const Arguments& args, JsonObject& config, JsonObject& host) {
  std::vector<std::string> binds;
  std::vector<std::string> anonymous;
  for (const std::string& text : args.list("volume")) {
    VolumeSpec spec = TRY(parse_volume(text));
    (spec.bind.empty() ? anonymous : binds)
        .push_back(spec.bind.empty() ? spec.anonymous : spec.bind);
  }
  if (!binds.empty()) host.add("Binds", binds);
  if (!anonymous.empty()) config.add_json("Volumes", json_set(anonymous));
  std::vector<std::string> mounts;
  for (const std::string& text : args.list("mount")) mounts.push_back(TRY(mount_json(text)));
  if (!mounts.empty()) host.add_json("Mounts", json_array(mounts));
  std::map<std::string, std::string> tmpfs;
  for (const std::string& text : args.list("tmpfs")) {
    const std::size_t colon = text.find(':');
    tmpfs[text.substr(0, colon)] = colon == std::string::npos ? "" : text.substr(colon + 1);
  }
  if (!tmpfs.empty()) host.add("Tmpfs", tmpfs);
  return ok_status();
}

Status add_ports(const Arguments& args, JsonObject& config, JsonObject& host) {
  PortBindings bindings;
  for (const std::string& text : args.list("publish")) TRY(add_published(text, bindings));
  std::vector<std::string> exposed;
  for (const std::string& text : args.list("expose")) {
    for (std::string& port : TRY(exposed_ports(text))) exposed.push_back(std::move(port));
  }
  JsonObject json;
  for (const auto& [port, hosts] : bindings) {
    if (std::find(exposed.begin(), exposed.end(), port) == exposed.end()) exposed.push_back(port);
    std::vector<std::string> list;
    for (const HostPort& one : hosts)
      list.push_back(JsonObject().add("HostIp", one.ip).add("HostPort", one.port).text());
    json.add_json(port, json_array(list));
  }
  if (!exposed.empty()) config.add_json("ExposedPorts", json_set(exposed));
  if (!json.empty()) host.add_json("PortBindings", json.text());
  if (args.on("publish-all")) host.add("PublishAllPorts", true);
  return ok_status();
}

Status check(const Arguments& args) {
  if (args.on("rm") && args.given("restart") && args.text("restart") != "no" &&
      !args.text("restart").empty())
    return conflict("restart", "rm");
  if (args.given("attach") && args.on("detach")) return conflict("attach", "detach");
  if (args.on("use-api-socket")) {
    return Error::invalid("--use-api-socket is not supported")
        .fix("Mount the socket: -v /run/stack/stack.sock:/var/run/docker.sock");
  }
  if (const std::string isolation = args.text("isolation");
      !isolation.empty() && isolation != "default")
    return Error::invalid(fmt::format("invalid isolation: {}", isolation))
        .fix("Linux has \"default\" only: leave --isolation out.");
  if (const long timeout = args.number("stop-timeout").value_or(0);
      args.given("stop-timeout") && timeout < -1)
    return Error::invalid("--stop-timeout cannot be less than -1");
  for (const std::string& stream : args.list("attach")) {
    if (stream != "stdin" && stream != "stdout" && stream != "stderr" && stream != "STDIN" &&
        stream != "STDOUT" && stream != "STDERR")
      return wrong_flag("attach", stream, "valid streams are STDIN, STDOUT and STDERR");
  }
  return ok_status();
}

void decide_attachment(const Arguments& args, bool foreground, CreateRequest& out) {
  out.tty = args.on("tty");
  out.open_stdin = args.on("interactive");
  const auto attached = args.list("attach");
  const auto has = [&attached](std::string_view lower, std::string_view upper) {
    return std::any_of(attached.begin(), attached.end(),
                       [&](const std::string& s) { return s == lower || s == upper; });
  };
  out.attach_stdin = has("stdin", "STDIN");
  out.attach_stdout = has("stdout", "STDOUT");
  out.attach_stderr = has("stderr", "STDERR");
  if (attached.empty() && foreground) out.attach_stdout = out.attach_stderr = true;
  if (attached.empty() && foreground && out.open_stdin) out.attach_stdin = true;
}

Result<std::string> host_config(const Arguments& args, JsonObject& config,
                                const std::string& network_mode) {
  JsonObject host;
  TRY(add_mounts(args, config, host));
  TRY(add_ports(args, config, host));
  host.add("NetworkMode", network_mode);
  host.add_json("RestartPolicy", TRY(restart_policy_json(args.text("restart"))));
  add_lists(args, host,
            {{"volumes-from", "VolumesFrom"},
             {"cap-add", "CapAdd"},
             {"cap-drop", "CapDrop"},
             {"dns", "Dns"},
             {"dns-option", "DnsOptions"},
             {"dns-search", "DnsSearch"},
             {"add-host", "ExtraHosts"},
             {"group-add", "GroupAdd"},
             {"link", "Links"}});
  add_texts(args, host,
            {{"volume-driver", "VolumeDriver"},
             {"cgroupns", "CgroupnsMode"},
             {"ipc", "IpcMode"},
             {"pid", "PidMode"},
             {"uts", "UTSMode"},
             {"userns", "UsernsMode"},
             {"runtime", "Runtime"},
             {"cgroup-parent", "CgroupParent"},
             {"cidfile", "ContainerIDFile"}});
  add_maps(args, host,
           {{"storage-opt", "StorageOpt"}, {"sysctl", "Sysctls"}, {"annotation", "Annotations"}});
  for (const auto& [flag, member] : {std::pair{"rm", "AutoRemove"},
                                     {"privileged", "Privileged"},
                                     {"read-only", "ReadonlyRootfs"}}) {
    if (args.on(flag)) host.add(member, true);
  }
  if (args.given("init")) host.add("Init", args.on("init"));
  TRY(add_security(args, host));
  JsonObject log;
  if (args.given("log-driver")) log.add("Type", args.text("log-driver"));
  log.add("Config", pairs(args.list("log-opt")));
  if (args.given("log-driver") || args.given("log-opt")) host.add_json("LogConfig", log.text());
  if (args.given("shm-size"))
    host.add("ShmSize", TRY(bytes_flag("shm-size", args.text("shm-size"))));
  TRY(add_limits(args, host));
  TRY(add_devices(args, host));
  return host.text();
}

}  // namespace

Result<CreateRequest> create_request(const Arguments& args, bool foreground) {
  TRY(check(args));
  CreateRequest out;
  out.image = args.positional[0];
  out.name = args.text("name");
  out.platform = args.text("platform");
  decide_attachment(args, foreground, out);
  JsonObject config;
  add_texts(args, config,
            {{"hostname", "Hostname"},
             {"domainname", "Domainname"},
             {"user", "User"},
             {"workdir", "WorkingDir"},
             {"stop-signal", "StopSignal"},
             {"mac-address", "MacAddress"}});
  config.add("AttachStdin", out.attach_stdin)
      .add("AttachStdout", out.attach_stdout)
      .add("AttachStderr", out.attach_stderr);
  config.add("Tty", out.tty).add("OpenStdin", out.open_stdin);
  config.add("StdinOnce", out.open_stdin && out.attach_stdin);
  config.add("Env", TRY(environment_flags(args)));
  if (args.positional.size() > 1)
    config.add("Cmd", std::vector<std::string>(args.positional.begin() + 1, args.positional.end()));
  config.add("Image", out.image);
  // An empty --entrypoint clears that of the image.
  if (args.given("entrypoint"))
    config.add("Entrypoint", std::vector<std::string>{args.text("entrypoint")});
  if (const std::string health = TRY(health_json(args)); !health.empty())
    config.add_json("Healthcheck", health);
  if (const auto labels = TRY(labels_of(args)); !labels.empty()) config.add("Labels", labels);
  if (args.given("stop-timeout"))
    config.add("StopTimeout", static_cast<std::int64_t>(args.number("stop-timeout").value_or(0)));
  const NetworkSpec network = TRY(network_spec(args));
  const std::string host = TRY(host_config(args, config, network.mode));
  config.add_json("HostConfig", host);
  if (!network.endpoints_config.empty())
    config.add_json("NetworkingConfig",
                    JsonObject().add_json("EndpointsConfig", network.endpoints_config).text());
  out.body = config.text();
  return out;
}

}  // namespace stack::cli::docker
