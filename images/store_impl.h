// What the parts of Store share. Private to images/.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "images/build_cache.h"
#include "images/manifest.h"
#include "images/store.h"

namespace stack::images {

struct ImageRecord {
  std::string id;
  std::string parent;
  ImageConfig config;
  Descriptor manifest;
  std::vector<LayerRecord> layers;  // bottom first
  std::set<std::string> tags;       // Reference::to_string(): name:tag
  std::set<std::string> digests;    // name@sha256:...
  WallTime last_tagged{};

  Image image() const;
};

struct Store::Impl {
  explicit Impl(std::unique_ptr<LayerStore> store)
      : layers(std::move(store)), cache(layers->root() / "cache") {}

  Status load_index();
  Status load_descriptor(const Descriptor& item);
  Result<ImageRecord> load_image(const Descriptor& item, const ManifestDocument& manifest) const;
  Status save_index() const;  // with the mutex held
  // With the mutex held; nullptr when there is none.
  Result<ImageRecord*> find(const std::string& text);
  ImageRecord* by_digest(const Reference& reference);
  // What is to be deleted once the index no longer names it.
  struct Doomed {
    std::vector<LayerRecord> layers;
    std::vector<std::string> blobs;
  };
  // Takes a record out, and says what only it had; appends Docker's "Deleted" ids.
  void erase(const std::string& id, std::vector<std::string>& deleted, Doomed& doomed);
  // Writes the index, then deletes; a crash in between leaves garbage, never a name without
  // content.
  Status commit_erasure(const Doomed& doomed, std::int64_t* freed);
  std::set<std::string> held_layers() const;  // by images, cached build steps and pins
  std::set<std::string> held_blobs() const;

  mutable std::mutex mutex;
  std::unique_ptr<LayerStore> layers;
  BuildCache cache;
  std::map<std::string, ImageRecord> images;
  std::multiset<std::string> pinned;  // diff ids
};

}  // namespace stack::images
