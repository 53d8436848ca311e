// What is asked of a registry without pulling: is this login right, what is there of that name,
// what does a reference stand for. Blocking.
#pragma once

#include <string>
#include <vector>

#include "images/manifest.h"
#include "images/registry.h"

namespace stack::images {

struct FetchedManifest {
  std::string json;
  std::string digest;  // verified when the reference has one
  std::string content_type;
};
// By the reference's digest, else its tag. Refusals in the engine's words: kNotFound for what does
// not exist or may not be seen.
Result<FetchedManifest> fetch_manifest(Registry& registry, const Reference& reference);

// Every tag of a repository.
Result<std::vector<std::string>> list_tags(const Reference& repository,
                                           const RegistryOptions& options);

struct LoginAnswer {
  bool accepted = false;
  std::string refusal;         // why not
  std::string identity_token;  // to be kept instead of the password; may be empty
};
// POST /auth. An error is a registry that could not be asked.
Result<LoginAnswer> log_in(const std::string& server_address, const Credentials& credentials,
                           RegistryOptions options);

struct SearchResult {
  std::string name;
  std::string description;
  int stars = 0;
  bool official = false;
  bool automated = false;
};
// The registry search API (GET /v1/search) of the index that the term names: docker.io without one.
Result<std::vector<SearchResult>> search(const std::string& term, int limit,
                                         RegistryOptions options);

struct RemoteImage {
  Descriptor descriptor;  // of the manifest or the list
  struct Platform {
    std::string os, architecture, variant;
  };
  std::vector<Platform> platforms;
};
Result<RemoteImage> inspect_remote(const Reference& reference, const RegistryOptions& options);

}  // namespace stack::images
