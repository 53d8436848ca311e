// How registries are spoken to: who we are, which hosts are trusted, which mirrors are asked first.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/registry_credentials.h"
#include "images/proxy.h"
#include "images/reference.h"

namespace stack::images {

using Credentials = RegistryCredentials;

struct RegistryOptions {
  // For the reference's own registry; never sent to a mirror.
  std::optional<Credentials> credentials;
  std::map<std::string, Credentials> auths;  // for others, by credentials_key()
  std::filesystem::path docker_config;       // asked last: config.json of the engine's user
  // host[:port] or CIDR; 127.0.0.0/8, ::1 and localhost always are
  std::vector<std::string> insecure_registries;
  std::vector<std::string> mirrors;  // for docker.io only, as the daemon's registry-mirrors: URLs
  // <host[:port]>/*.crt, *.cert with *.key; the first directory that has the host is used
  std::vector<std::filesystem::path> certificate_directories{"/etc/stack/certs.d",
                                                             "/etc/docker/certs.d"};
  std::optional<ProxySettings> proxies;
  int attempts = 5;
  std::chrono::milliseconds first_backoff{500};  // doubles with every attempt
  std::stop_token stop;
};

// One place where an image may be had: "https://registry-1.docker.io".
struct Endpoint {
  std::string base;
  std::string domain;  // whose credentials and certificates are used
  bool mirror = false;
  bool insecure = false;  // certificates are not checked
};
// In the order in which they are tried. Pushes go to the registry itself.
std::vector<Endpoint> endpoints_of(const std::string& domain, const RegistryOptions& options,
                                   bool push);

// True for hosts that may be spoken to without TLS: localhost, 127.0.0.0/8, ::1, and the listed
// names and CIDRs.
bool is_insecure_registry(const std::string& domain, const std::vector<std::string>& listed);

struct TlsFiles {
  std::string ca_pem;
  std::string cert_file, key_file;
};
// Docker's certs.d layout. kInvalid when a certificate lacks its key.
Result<TlsFiles> tls_files(const std::string& domain,
                           const std::vector<std::filesystem::path>& directories);

// Explicit ones, then those given for several registries, then Docker's configuration file.
Result<std::optional<Credentials>> credentials_for(const Endpoint& endpoint,
                                                   const RegistryOptions& options);

}  // namespace stack::images
