#include "engine/daemon_settings.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "engine/model.h"

namespace stack::engine {

namespace {

using nlohmann::json;

// Keys that dockerd accepts and that have no meaning here, or not yet: a file that is shared with
// Docker need not be changed.
constexpr std::array kIgnored{"allow-direct-routing",
                              "allow-nondistributable-artifacts",
                              "api-cors-header",
                              "authorization-plugins",
                              "bip",
                              "bip6",
                              "bridge",
                              "bridge-accept-fwmark",
                              "builder",
                              "cdi-spec-dirs",
                              "cgroup-parent",
                              "containerd",
                              "containerd-namespace",
                              "containerd-plugin-namespace",
                              "cpu-rt-period",
                              "cpu-rt-runtime",
                              "data-root",
                              "debug",
                              "default-address-pools",
                              "default-cgroupns-mode",
                              "default-gateway",
                              "default-gateway-v6",
                              "default-ipc-mode",
                              "default-network-opts",
                              "default-runtime",
                              "default-shm-size",
                              "default-ulimits",
                              "exec-opts",
                              "exec-root",
                              "experimental",
                              "features",
                              "firewall-backend",
                              "fixed-cidr",
                              "fixed-cidr-v6",
                              "group",
                              "host-gateway-ip",
                              "host-gateway-ips",
                              "hosts",
                              "icc",
                              "init",
                              "init-path",
                              "ip",
                              "ip-forward",
                              "ip-forward-no-drop",
                              "ip-masq",
                              "ip6tables",
                              "iptables",
                              "ipv6",
                              "labels",
                              "live-restore",
                              "log-format",
                              "log-level",
                              "metrics-addr",
                              "mtu",
                              "network-control-plane-mtu",
                              "no-new-privileges",
                              "node-generic-resources",
                              "oom-score-adjust",
                              "pidfile",
                              "raw-logs",
                              "runtimes",
                              "seccomp-profile",
                              "selinux-enabled",
                              "shutdown-timeout",
                              "storage-driver",
                              "storage-opts",
                              "swarm-default-advertise-addr",
                              "tls",
                              "tlscacert",
                              "tlscert",
                              "tlskey",
                              "tlsverify",
                              "userland-proxy",
                              "userland-proxy-path",
                              "userns-remap",
                              "validate"};

SourceLoc place(const std::string& text, std::size_t at, const std::string& file) {
  SourceLoc out{file, 1, 1};
  for (std::size_t i = 0; i < std::min(at, text.size()); ++i) {
    if (text[i] == '\n') {
      ++out.line;
      out.column = 1;
    } else {
      ++out.column;
    }
  }
  return out;
}

// Where a key of the outermost object stands.
std::size_t position_of(const std::string& text, const std::string& key) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' || text[i] == '[') ++depth;
    if (text[i] == '}' || text[i] == ']') --depth;
    if (text[i] != '"') continue;
    const std::size_t begin = i++;
    while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
    if (depth == 1 && text.compare(begin + 1, i - begin - 1, key) == 0) {
      const std::size_t next = text.find_first_not_of(" \t\r\n", i + 1);
      if (next != std::string::npos && text[next] == ':') return begin;
    }
  }
  return 0;
}

// Reads single values; the first that is wrong is the error.
class Reader {
 public:
  Reader(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  void fail(const std::string& key, const std::string& why) {
    if (!error_) error_ = Error::at(place(text_, position_of(text_, key), file_), why);
  }
  std::vector<std::string> list(const std::string& key, const json& value) {
    std::vector<std::string> out;
    if (!value.is_array()) {
      fail(key, "\"" + key + "\" must be a list of strings");
      return out;
    }
    for (const json& item : value) {
      if (item.is_string()) {
        out.push_back(item.get<std::string>());
      } else {
        fail(key, "\"" + key + "\" must be a list of strings");
      }
    }
    return out;
  }
  int count(const std::string& key, const json& value) {
    const std::int64_t number = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    if (number >= 1 && number <= 1000) return static_cast<int>(number);
    fail(key, "\"" + key + "\" must be a number from 1 to 1000");
    return 1;
  }
  std::string text(const std::string& key, const json& value) {
    if (value.is_string()) return value.get<std::string>();
    fail(key, "\"" + key + "\" must be a string");
    return "";
  }
  std::optional<Error> take_error() { return std::move(error_); }

 private:
  const std::string& text_;
  const std::string& file_;
  std::optional<Error> error_;
};

void read_proxies(Reader& reader, const json& value, Settings& out) {
  if (!value.is_object()) return reader.fail("proxies", "\"proxies\" must be an object");
  out.proxies.emplace();
  for (const auto& [name, proxy] : value.items()) {
    if (name == "http-proxy") {
      out.proxies->http = reader.text("proxies", proxy);
    } else if (name == "https-proxy") {
      out.proxies->https = reader.text("proxies", proxy);
    } else if (name == "no-proxy") {
      out.proxies->no_proxy = reader.text("proxies", proxy);
    } else {
      reader.fail("proxies",
                  "the following directives don't match any configuration option: " + name);
    }
  }
}

bool is_address(const std::string& text) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, text.c_str(), &buffer) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

void check_mirror(Reader& reader, const std::string& url) {
  const bool web = url.starts_with("http://") || url.starts_with("https://");
  if (!web) {
    return reader.fail("registry-mirrors", "invalid mirror: unsupported scheme in \"" + url +
                                               "\": a mirror is an http or https URL");
  }
  if (images::host_port(url).host.empty() || url.find('?') != std::string::npos ||
      url.find('#') != std::string::npos)
    reader.fail("registry-mirrors", "invalid mirror: \"" + url + "\" is not a valid URI");
}

void read_one(Reader& reader, const std::string& key, const json& value, Settings& out) {
  if (key == "registry-mirrors") {
    out.registry_mirrors = reader.list(key, value);
    for (const std::string& url : out.registry_mirrors) check_mirror(reader, url);
  } else if (key == "insecure-registries") {
    out.insecure_registries = reader.list(key, value);
    for (std::string& name : out.insecure_registries) {
      for (const char* scheme : {"http://", "https://"}) {
        if (name.starts_with(scheme)) name = name.substr(std::string_view(scheme).size());
      }
    }
  } else if (key == "proxies") {
    read_proxies(reader, value, out);
  } else if (key == "max-concurrent-downloads") {
    out.max_concurrent_downloads = reader.count(key, value);
  } else if (key == "max-concurrent-uploads") {
    out.max_concurrent_uploads = reader.count(key, value);
  } else if (key == "max-download-attempts") {
    out.max_download_attempts = reader.count(key, value);
  } else if (key == "dns") {
    out.dns = reader.list(key, value);
    for (const std::string& server : out.dns) {
      if (!is_address(server)) reader.fail(key, server + " is not an ip address");
    }
  } else if (key == "dns-search") {
    out.dns_search = reader.list(key, value);
  } else if (key == "dns-opts") {
    out.dns_options = reader.list(key, value);
  } else if (key == "log-driver") {
    out.log_driver = reader.text(key, value);
  } else if (key == "log-opts") {
    if (!value.is_object()) return reader.fail(key, "\"log-opts\" must be an object of strings");
    for (const auto& [name, option] : value.items())
      out.log_options[name] = reader.text(key, option);
  } else if (std::find(kIgnored.begin(), kIgnored.end(), key) != kIgnored.end()) {
    out.ignored.push_back(key);
  } else {
    reader.fail(key, "the following directives don't match any configuration option: " + key);
  }
}

}  // namespace

Result<Settings> parse_settings(const std::string& text, const std::string& file) {
  Settings out;
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return out;
  json parsed;
  try {
    parsed = json::parse(text);
  } catch (const json::parse_error& error) {
    std::string why = error.what();
    // "[json.exception.parse_error.101] parse error at line 2, column 3: what": the place is ours.
    if (const std::size_t colon = why.find(": "); colon != std::string::npos)
      why = why.substr(colon + 2);
    return Error::at(place(text, error.byte > 0 ? error.byte - 1 : 0, file),
                     "not valid JSON: " + why);
  }
  if (!parsed.is_object()) return Error::at({file, 1, 1}, "the file must hold one JSON object");
  Reader reader(text, file);
  for (const auto& [key, value] : parsed.items()) read_one(reader, key, value, out);
  if (auto error = reader.take_error()) return std::move(*error);
  return out;
}

void apply_settings(const Settings& settings, ContainerConfig& config) {
  const auto fill = [](std::vector<std::string>& own, const std::vector<std::string>& general) {
    if (own.empty()) own = general;
  };
  fill(config.dns, settings.dns);
  fill(config.dns_search, settings.dns_search);
  fill(config.dns_options, settings.dns_options);
  // The driver "json-file" is what nobody has chosen; options belong to a driver.
  if (!config.log.options.empty() || config.log.driver != LogConfig().driver) return;
  if (!settings.log_driver.empty()) config.log.driver = settings.log_driver;
  config.log.options = settings.log_options;
}

Result<SettingsFile> SettingsFile::open(std::filesystem::path path,
                                        std::filesystem::path accepted) {
  SettingsFile out;
  out.path_ = std::move(path);
  out.accepted_ = std::move(accepted);
  out.seen_ = out.version();
  auto settings = out.read();
  if (!settings.ok()) {
    const auto before = read_file(out.accepted_);
    auto kept = before.ok() ? parse_settings(*before, out.accepted_.string())
                            : Result<Settings>(settings.error());
    if (!kept.ok()) {
      return std::move(settings)
          .error()
          .while_("configuring the engine")
          .fix("Correct the file, or remove it.");
    }
    log_error("{}; the settings before stay in force", settings.error().to_string());
    out.refused_ = std::move(settings).error();
    settings = std::move(kept);
  }
  out.settings_ = std::move(*settings);
  return out;
}

SettingsFile::Version SettingsFile::version() const {
  struct stat found {};
  if (::stat(path_.c_str(), &found) != 0) return {};
  return {found.st_ino, found.st_size,
          std::int64_t{found.st_ctim.tv_sec} * 1000000000 + found.st_ctim.tv_nsec};
}

Result<Settings> SettingsFile::read() const {
  if (!stack::exists(path_)) {
    (void)remove_tree(accepted_);
    return Settings{};
  }
  const std::string text = TRY(read_file(path_, 1U << 20U));
  Settings out = TRY(parse_settings(text, path_.string()));
  // Losing the copy matters only when a bad file follows.
  (void)replace_file(accepted_, text, 0600);
  for (const std::string& key : out.ignored)
    log_warning("{}: \"{}\" has no effect on this engine", path_.string(), key);
  return out;
}

const Settings& SettingsFile::current() {
  const Version now = version();
  if (now == seen_) return settings_;
  seen_ = now;
  auto settings = read();
  if (settings.ok()) {
    log_info("{} has changed and is in force", path_.string());
    settings_ = std::move(*settings);
    refused_.reset();
  } else {
    log_error("{}; the settings before stay in force", settings.error().to_string());
    refused_ = std::move(settings).error();
  }
  return settings_;
}

images::PullOptions SettingsFile::registry_options() {
  const Settings& now = current();
  images::PullOptions out;
  out.mirrors = now.registry_mirrors;
  out.insecure_registries = now.insecure_registries;
  out.proxies = now.proxies;
  out.parallel_downloads = now.max_concurrent_downloads;
  out.parallel_uploads = now.max_concurrent_uploads;
  out.attempts = now.max_download_attempts;
  out.docker_config = DockerConfig::default_path();
  out.certificate_directories = {path_.parent_path() / "certs.d", "/etc/docker/certs.d"};
  return out;
}

}  // namespace stack::engine
