// Who we are for a registry, as Docker's client keeps it: ~/.docker/config.json with "auths",
// "credsStore" and "credHelpers". Helpers are the real programs docker-credential-<name>, run with
// Docker's protocol (get, store, erase, list over stdin and stdout). Blocking.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack {

struct RegistryCredentials {
  std::string username;
  std::string password;
  std::string identity_token;  // OAuth2 refresh token, instead of a password
  std::string registry_token;  // a bearer token to be sent as it is

  bool empty() const {
    return username.empty() && identity_token.empty() && registry_token.empty();
  }
  bool operator==(const RegistryCredentials&) const = default;
};

// The key of Docker Hub in the file and for helpers.
inline constexpr std::string_view kHubServer = "https://index.docker.io/v1/";

// A registry's key in the file: the hub's address for docker.io, else the host and port.
std::string credentials_key(const std::string& domain);
// "https://registry:5000/v2/" is "registry:5000".
std::string registry_host(std::string_view address);

// The registry of an image name as people write it: "docker.io" for "nginx" and "user/app",
// "localhost:5000" for "localhost:5000/app:1".
std::string registry_of_image(std::string_view name);

class DockerConfig {
 public:
  // $DOCKER_CONFIG/config.json, else $HOME/.docker/config.json; empty without either variable.
  static std::filesystem::path default_path();
  // A file that is absent is an empty configuration. kInvalid when it is not JSON.
  static Result<DockerConfig> load(std::filesystem::path path);
  static Result<DockerConfig> parse(std::string_view json);

  // For a domain of an image reference ("docker.io", "localhost:5000"). A helper that fails is an
  // error; one that knows nothing is nullopt.
  Result<std::optional<RegistryCredentials>> find(const std::string& domain) const;
  // Of every registry in the file and in its helpers, by key.
  Result<std::map<std::string, RegistryCredentials>> all() const;

  // Where a login is kept: a helper's name, or empty for the file.
  std::string helper_for(const std::string& key) const;
  Status store(const std::string& key, const RegistryCredentials& credentials);
  // False when there was nothing. The hub's and a host's older spellings go as well.
  Result<bool> erase(const std::string& key);

 private:
  struct Entry {
    RegistryCredentials credentials;
    std::string address;  // as spelled in the file
  };
  std::optional<RegistryCredentials> in_file(const std::string& key) const;
  Status save() const;

  std::filesystem::path path_;
  std::string document_ = "{}";  // everything in the file: what we do not know is kept
  std::vector<Entry> entries_;
  std::string store_helper_;
  std::map<std::string, std::string> helpers_;
};

// The JSON of X-Registry-Auth: {"username", "password", "auth", "identitytoken", "registrytoken"}.
// nullopt when it is no object or says nothing.
std::optional<RegistryCredentials> parse_registry_auth(std::string_view json);
std::string registry_auth_json(const RegistryCredentials& credentials,
                               const std::string& server_address);

}  // namespace stack
