// Which layer a build step made: one small file a key in cache/, whose content is the layer's diff
// id. A record whose layer is gone counts as absent.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "base/error.h"

namespace stack::images {

class BuildCache {
 public:
  explicit BuildCache(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::optional<std::string> find(const std::string& key) const;  // a diff id
  Status put(const std::string& key, const std::string& diff_id) const;
  std::set<std::string> held_layers() const;
  Status clear() const;
  // Where RUN --mount=type=cache keeps the directory of an id.
  Result<std::filesystem::path> mount_directory(const std::string& id) const;

 private:
  std::filesystem::path directory_;
};

}  // namespace stack::images
