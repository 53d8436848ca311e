// Pulling and pushing images over the OCI distribution protocol (Docker Registry v2): layers are
// downloaded and unpacked in parallel and verified while they stream; a cut connection is resumed
// with Range. Blocking; cancelled by the stop token. Errors carry Docker's texts where it has one;
// kNotFound for a missing repository or tag, kUnavailable for the network.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "images/store.h"

namespace stack::images {

struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  // OAuth2 refresh token, instead of a password
};

// "Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull
// complete", "Already exists", "Retrying in 2 seconds" per layer id; with an empty id the lines
// "Digest: sha256:..." and "Status: Downloaded newer image for x:latest" or "Status: Image is up to
// date for x:latest".
using PullProgress = Progress;

struct PullOptions {
  std::string platform;                    // os/arch[/variant]; empty: this machine's
  std::optional<Credentials> credentials;  // absent: looked up in docker_config
  std::filesystem::path docker_config;     // ~/.docker/config.json of the caller; may be empty
  std::vector<std::string>
      insecure_registries;  // host[:port] or CIDR; 127.0.0.0/8, ::1 and localhost always are
  std::vector<std::string> mirrors;  // for docker.io only, as the daemon's registry-mirrors: URLs
  std::string ca_directory = "/etc/docker/certs.d";  // <host>/ca.crt, client.cert, client.key
  int parallel_downloads = 3;
  int attempts = 5;
  std::chrono::milliseconds first_backoff{500};  // doubles with every attempt
  ProgressCallback progress;                     // called under a lock, from several threads
  std::stop_token stop;
};

Result<Image> pull(Store& store, const Reference& reference, const PullOptions& options);
// Uploads an image under the reference's repository and tag; returns the digest of the manifest.
Result<std::string> push(const Store& store, const Reference& reference,
                         const PullOptions& options);

// Credentials for a registry host out of the text of Docker's config.json ("auths"; credential
// helpers are not run).
std::optional<Credentials> find_credentials(std::string_view config_json,
                                            const std::string& domain);

}  // namespace stack::images
