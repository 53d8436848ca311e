// Image manifests and indexes, OCI and Docker schema 2: parse with the checks of OCI image-spec (a
// document is one thing only, and what it says it is), and write. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stack::images {

inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";

struct Descriptor {
  std::string media_type;
  std::string digest;
  std::int64_t size = 0;
  std::string os = {};  // os, architecture, variant: in an index
  std::string architecture = {};
  std::string variant = {};
  std::map<std::string, std::string> annotations = {};
};

struct ManifestDocument {
  bool is_index = false;
  std::string media_type;
  Descriptor config;                  // of a manifest
  std::vector<Descriptor> layers;     // of a manifest
  std::vector<Descriptor> manifests;  // of an index
};

// `content_type` is what the registry said, or empty; it must agree with the document.
Result<ManifestDocument> parse_manifest(std::string_view json, std::string_view content_type = {});
std::string make_manifest(const Descriptor& config, const std::vector<Descriptor>& layers);
std::string make_index(const std::vector<Descriptor>& manifests);

// The entry of an index for a platform as the user writes it; kNotFound "no matching manifest for ... in the
// manifest list entries".
Result<Descriptor> choose_platform(const ManifestDocument& index, const std::string& platform);

}  // namespace stack::images
