// The image store of one engine: blobs in an OCI image layout (blobs/sha256/..., oci-layout,
// index.json; other tools can read it), and every layer unpacked once under layers/<short chain
// id>/fs, ready to be an overlayfs lower directory. Invariants: a blob or layer has its final name
// only when it is complete and its digests are verified (unpacked in tmp/, then renamed);
// index.json, replaced atomically, is the only record of images and tags; what it does not reach is
// garbage. All members may be called from several threads at once. Errors: kNotFound "No such
// image: x:latest", kConflict when an image is in use, kInvalid for malformed input.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "images/image_config.h"
#include "images/layer_store.h"
#include "images/reference.h"

namespace stack::images {

class BuildCache;

struct Image {
  std::string id;      // sha256:<64 hex>, the digest of the configuration
  std::string parent;  // the image that this one was committed from; empty for others
  ImageConfig config;
  std::int64_t size = 0;                  // bytes of all layers, unpacked
  std::vector<std::string> repo_tags;     // familiar: nginx:latest
  std::vector<std::string> repo_digests;  // familiar: nginx@sha256:...
  WallTime created{};
  WallTime last_tagged{};
};

// One line of progress: what is being worked on, Docker's status word, bytes done and bytes in all
// (0 unknown).
struct Progress {
  std::string id;  // short layer id, or empty
  std::string status;
  std::int64_t current = 0;
  std::int64_t total = 0;
};
using ProgressCallback = std::function<void(const Progress&)>;

// docker commit: what a container has written, as a layer above its image.
struct CommitRequest {
  std::string parent_id;
  std::filesystem::path upper_directory;  // of the container's overlay
  ImageConfig config;                     // whole; history and diff ids are filled in
  std::string command;                    // what the container ran, for the history
  std::string comment, author;
  std::optional<Reference> reference;
};

struct RemoveReport {
  std::string image_id;
  std::vector<std::string> untagged;  // familiar references
  std::vector<std::string> deleted;   // image ids and chain ids of the layers, in order
};
// Which images docker image prune takes: those without a tag that no container uses.
struct PruneFilter {
  bool all = false;                          // tagged ones too
  std::function<bool(const Image&)> wanted;  // further conditions; empty: none
};
struct PruneReport {
  std::vector<std::string> untagged;
  std::vector<std::string> deleted;
  std::int64_t space_reclaimed = 0;
};

// Says why an image may not be removed, or nothing: "container 0123456789ab is using it".
struct ImageUse {
  std::string container_id;
  bool running = false;
};
using InUseCallback = std::function<std::vector<ImageUse>(const std::string& image_id)>;

class Store {
 public:
  // Creates what is missing and removes half-made things that a crash left in tmp/.
  static Result<std::unique_ptr<Store>> open(std::filesystem::path root);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // By name[:tag], name@digest, full id, or unique prefix of an id.
  Result<Image> find(const std::string& reference_or_id) const;
  std::vector<Image> list() const;  // newest first
  Status tag(const std::string& reference_or_id, const Reference& target);
  // docker rmi: a reference is untagged, and the image goes with its last reference; an id goes
  // whole if it has one repository only or `force`. A stopped container's image needs `force` and
  // loses its names alone; a running one's is refused by id.
  Result<RemoveReport> remove(const std::string& reference_or_id, bool force,
                              const InUseCallback& in_use);
  Result<PruneReport> prune(const PruneFilter& filter, const InUseCallback& in_use);
  // Forgets all cached build steps and the layers only they held.
  Result<PruneReport> prune_build_cache();

  // Layers that a pull, a load or a build under way relies on: while the pin is there nothing
  // removes them, although no image has them yet, or no longer. A layer may be pinned before it is
  // in the store. A pin belongs to one thread.
  class Pin {
   public:
    explicit Pin(Store& store) : store_(store) {}
    ~Pin();
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    void add(const std::vector<std::string>& diff_ids);

   private:
    Store& store_;
    std::vector<std::string> diff_ids_;
  };

  // Removes blobs and layers that no image and no cached build step has, as a killed pull or build
  // leaves them. Only while nothing is being pulled, loaded or built. Returns the bytes freed.
  std::int64_t collect_garbage();

  // Directories for overlay lowerdir+, topmost first. Empty for an image without layers.
  Result<std::vector<std::filesystem::path>> layer_directories(const std::string& image_id) const;

  // A root file system tarball (plain, gzip, zstd, xz, bzip2) becomes an image of one layer.
  // `changes` are Dockerfile instructions as in docker import -c. The layer is stored uncompressed:
  // the fastest way, and its digest is its diff id.
  Result<Image> import_rootfs(int tar_fd, const std::optional<Reference>& reference,
                              const std::vector<std::string>& changes, const std::string& message,
                              const ProgressCallback& progress);
  // docker save: an OCI layout and manifest.json of a docker-archive in one tar.
  Status save(const std::vector<std::string>& references, int out_fd) const;
  // docker load of either form; the lines to print: "Loaded image: x:latest" or "Loaded image ID:
  // sha256:...".
  Result<std::vector<std::string>> load(int fd, const ProgressCallback& progress);
  Result<Image> commit(CommitRequest request);

  // For pull and build: records an image whose layers are all in the store. `manifest` is the
  // manifest as received, or empty for an image made here. `digest_of` adds a repo digest.
  Result<Image> add_image(const std::string& config_json, const std::vector<LayerRecord>& layers,
                          const std::optional<Reference>& tag, const std::string& manifest = {},
                          const std::optional<Reference>& digest_of = std::nullopt);
  // The layer records of an image, bottom first.
  Result<std::vector<LayerRecord>> layers(const std::string& image_id) const;
  // The manifest blob of an image (made when it was recorded): bytes and media type, for push and
  // inspect.
  struct Manifest {
    std::string digest;
    std::string media_type;
    std::string json;
  };
  Result<Manifest> manifest(const std::string& image_id) const;

  // Records name@digest for an image: what a push was answered with.
  Status add_digest(const std::string& image_id, const Reference& by_digest);
  // Names like "library/nginx" of repositories at `domain` that are known to have an image with the
  // layer: where a push may mount it from.
  std::vector<std::string> repositories_with(const std::string& domain,
                                             const std::string& diff_id) const;
  // All tags of a repository, sorted.
  std::vector<Reference> tags_of(const Reference& repository) const;

  const BuildCache& build_cache() const;
  LayerStore& layer_store();
  const LayerStore& layer_store() const;
  const std::filesystem::path& root() const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack::images
