#include "base/registry_credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/process.h"

namespace stack {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kTokenUser = "<token>";  // a helper's secret is an identity token then
constexpr std::size_t kHelperLimit = 1U << 20U;

std::string text_of(const ordered_json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

RegistryCredentials entry_of(const ordered_json& object) {
  RegistryCredentials out;
  out.username = text_of(object, "username");
  out.password = text_of(object, "password");
  out.identity_token = text_of(object, "identitytoken");
  out.registry_token = text_of(object, "registrytoken");
  const auto pair = decode_base64(text_of(object, "auth"));
  if (const std::size_t colon = pair ? pair->find(':') : std::string::npos;
      colon != std::string::npos) {
    out.username = pair->substr(0, colon);
    out.password = pair->substr(colon + 1);
    while (!out.password.empty() && out.password.back() == '\0') out.password.pop_back();
  }
  return out;
}

struct HelperAnswer {
  int code = 0;
  std::string out;
};

// Runs docker-credential-<name> <action> with `input` on its stdin.
Result<HelperAnswer> run_helper(const std::string& name, const char* action,
                                std::string_view input) {
  if (name.find('/') != std::string::npos)
    return Error::invalid("the name of the credential helper \"" + name + "\" has a slash");
  Pipe in = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  SpawnOptions options;
  options.argv = {"docker-credential-" + name, action};
  options.fds = {{in.read.get(), 0}, {out.write.get(), 1}};
  const Child child =
      TRY_WHILE(spawn(options), "running the credential helper docker-credential-" + name);
  in.read.reset();
  out.write.reset();
  // Small enough for the pipe's buffer: it cannot block. A helper that reads nothing is no error.
  const Status written = write_all(in.write.get(), input.substr(0, 60000));
  in.write.reset();
  HelperAnswer answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(out.read.get(), buffer, sizeof buffer)) > 0;) {
    if (answer.out.size() < kHelperLimit) answer.out.append(buffer, static_cast<std::size_t>(n));
  }
  answer.code = TRY(reap(child.pidfd.get(), true))->code;
  if (answer.code == 0 && !written.ok() && written.error().os_errno != EPIPE)
    return written.error();
  while (!answer.out.empty() && (answer.out.back() == '\n' || answer.out.back() == '\r'))
    answer.out.pop_back();
  return answer;
}

Error helper_failed(const std::string& name, const char* action, const HelperAnswer& answer) {
  return Error::invalid("error getting credentials - docker-credential-" + name + " " + action +
                        " failed with exit code " + std::to_string(answer.code) + ": " +
                        answer.out);
}

Result<std::optional<RegistryCredentials>> ask_helper(const std::string& name,
                                                      const std::string& key) {
  const HelperAnswer answer = TRY(run_helper(name, "get", key));
  if (answer.code != 0) {
    if (answer.out.find("credentials not found") != std::string::npos)
      return std::optional<RegistryCredentials>();
    return helper_failed(name, "get", answer);
  }
  const auto json = ordered_json::parse(answer.out, nullptr, false);
  if (!json.is_object())
    return Error::invalid("docker-credential-" + name + " get gave no JSON object");
  RegistryCredentials out;
  if (text_of(json, "Username") == kTokenUser) {
    out.identity_token = text_of(json, "Secret");
  } else {
    out.username = text_of(json, "Username");
    out.password = text_of(json, "Secret");
  }
  return out.empty() ? std::nullopt : std::optional(out);
}

}  // namespace

std::string registry_host(std::string_view address) {
  if (const std::size_t scheme = address.find("://"); scheme != std::string_view::npos)
    address.remove_prefix(scheme + 3);
  return std::string(address.substr(0, address.find('/')));
}

std::string credentials_key(const std::string& domain) {
  std::string host = registry_host(domain);
  if (host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io")
    return std::string(kHubServer);
  return host;
}

std::string registry_of_image(std::string_view name) {
  const std::string_view first = name.substr(0, name.find('/'));
  const bool names_registry =
      first.size() != name.size() &&
      (first == "localhost" || first.find_first_of(".:") != std::string_view::npos ||
       std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
  if (!names_registry || first == "index.docker.io") return "docker.io";
  return std::string(first);
}

std::filesystem::path DockerConfig::default_path() {
  if (const char* directory = ::getenv("DOCKER_CONFIG"); directory != nullptr && *directory != '\0')
    return std::filesystem::path(directory) / "config.json";
  if (const char* home = ::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".docker" / "config.json";
  return {};
}

Result<DockerConfig> DockerConfig::load(std::filesystem::path path) {
  DockerConfig out;
  if (!path.empty() && stack::exists(path)) {
    const std::string text = TRY_WHILE(read_file(path), "loading the configuration file");
    if (text.find_first_not_of(" \t\r\n") != std::string::npos) {
      auto parsed = parse(text);
      if (!parsed.ok()) return std::move(parsed).error().while_(path.string());
      out = std::move(parsed).value();
    }
  }
  out.path_ = std::move(path);
  return out;
}

Result<DockerConfig> DockerConfig::parse(std::string_view text) {
  const auto json = ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return Error::invalid("not a JSON object");
  DockerConfig out;
  out.document_ = text;
  out.store_helper_ = text_of(json, "credsStore");
  if (const auto helpers = json.find("credHelpers");
      helpers != json.end() && helpers->is_object()) {
    for (const auto& [registry, helper] : helpers->items()) {
      if (helper.is_string()) out.helpers_[registry] = helper.get<std::string>();
    }
  }
  if (const auto auths = json.find("auths"); auths != json.end() && auths->is_object()) {
    for (const auto& [address, entry] : auths->items())
      out.entries_.push_back({entry_of(entry), address});
  }
  return out;
}

std::string DockerConfig::helper_for(const std::string& key) const {
  const auto it = helpers_.find(key);
  if (it != helpers_.end()) return it->second;
  // People write the hub as they name it in references.
  if (key == kHubServer) {
    for (const char* name : {"index.docker.io", "docker.io"}) {
      if (const auto hub = helpers_.find(name); hub != helpers_.end()) return hub->second;
    }
  }
  return store_helper_;
}

std::optional<RegistryCredentials> DockerConfig::in_file(const std::string& key) const {
  std::optional<RegistryCredentials> found;
  for (const Entry& entry : entries_) {
    if (entry.credentials.empty()) continue;
    if (entry.address == key) return entry.credentials;
    if (!found && credentials_key(entry.address) == key) found = entry.credentials;
  }
  return found;
}

Result<std::optional<RegistryCredentials>> DockerConfig::find(const std::string& domain) const {
  const std::string key = credentials_key(domain);
  if (const std::string helper = helper_for(key); !helper.empty()) {
    auto found = TRY(ask_helper(helper, key));
    if (found) return found;
  }
  return in_file(key);
}

Result<std::map<std::string, RegistryCredentials>> DockerConfig::all() const {
  std::map<std::string, RegistryCredentials> out;
  for (const Entry& entry : entries_) {
    if (!entry.credentials.empty()) out[credentials_key(entry.address)] = entry.credentials;
  }
  std::map<std::string, std::string> ask = helpers_;
  if (!store_helper_.empty()) {
    const HelperAnswer answer = TRY(run_helper(store_helper_, "list", ""));
    if (answer.code != 0) return helper_failed(store_helper_, "list", answer);
    const auto json = ordered_json::parse(answer.out, nullptr, false);
    if (json.is_object()) {
      for (const auto& [address, user] : json.items()) ask.emplace(address, store_helper_);
    }
  }
  for (const auto& [address, helper] : ask) {
    auto found = TRY(ask_helper(helper, address));
    if (found) out[credentials_key(address)] = *found;
  }
  return out;
}

Status DockerConfig::store(const std::string& key, const RegistryCredentials& credentials) {
  auto json = ordered_json::parse(document_, nullptr, false);
  if (!json["auths"].is_object()) json["auths"] = ordered_json::object();
  auto entry = ordered_json::object();
  if (const std::string helper = helper_for(key); !helper.empty()) {
    const bool token = !credentials.identity_token.empty();
    const ordered_json input = {
        {"ServerURL", key},
        {"Username", token ? std::string(kTokenUser) : credentials.username},
        {"Secret", token ? credentials.identity_token : credentials.password}};
    const HelperAnswer answer = TRY(run_helper(helper, "store", input.dump()));
    if (answer.code != 0) return helper_failed(helper, "store", answer);
  } else if (!credentials.identity_token.empty()) {
    entry["auth"] = base64(credentials.username + ":");
    entry["identitytoken"] = credentials.identity_token;
  } else {
    entry["auth"] = base64(credentials.username + ":" + credentials.password);
  }
  json["auths"][key] = std::move(entry);
  document_ = json.dump();
  return save();
}

Result<bool> DockerConfig::erase(const std::string& key) {
  bool found = false;
  if (const std::string helper = helper_for(key); !helper.empty()) {
    const HelperAnswer answer = TRY(run_helper(helper, "erase", key));
    if (answer.code != 0 && answer.out.find("credentials not found") == std::string::npos)
      return helper_failed(helper, "erase", answer);
    found = answer.code == 0;
  }
  auto json = ordered_json::parse(document_, nullptr, false);
  if (!json.contains("auths") || !json["auths"].is_object()) return found;
  std::vector<std::string> gone;
  for (const auto& [address, entry] : json["auths"].items()) {
    if (address == key || credentials_key(address) == key) gone.push_back(address);
  }
  for (const std::string& address : gone) json["auths"].erase(address);
  if (gone.empty()) return found;
  document_ = json.dump();
  TRY(save());
  return true;
}

Status DockerConfig::save() const {
  if (path_.empty())
    return Error::invalid("there is no place for the login").fix("Set HOME or DOCKER_CONFIG.");
  TRY(make_directories(path_.parent_path(), 0700));
  const auto json = ordered_json::parse(document_, nullptr, false);
  // Through a symbolic link, as people keep their configuration elsewhere.
  std::error_code ec;
  const auto target = std::filesystem::canonical(path_, ec);
  return replace_file(ec ? path_ : target, json.dump(1, '\t'), 0600);
}

std::optional<RegistryCredentials> parse_registry_auth(std::string_view text) {
  const auto json = ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const RegistryCredentials out = entry_of(json);
  return out.empty() ? std::nullopt : std::optional(out);
}

std::string registry_auth_json(const RegistryCredentials& credentials,
                               const std::string& server_address) {
  ordered_json out = ordered_json::object();
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  };
  add("username", credentials.username);
  add("password", credentials.password);
  add("serveraddress", server_address);
  add("identitytoken", credentials.identity_token);
  add("registrytoken", credentials.registry_token);
  return out.dump();
}

}  // namespace stack
