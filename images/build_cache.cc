#include "images/build_cache.h"

#include "base/files.h"
#include "base/sha256.h"
#include "images/reference.h"

namespace stack::images {

namespace fs = std::filesystem;

std::optional<std::string> BuildCache::find(const std::string& key) const {
  const auto text = read_file(directory_ / "steps" / key, 256);
  if (!text.ok() || !is_digest(*text)) return std::nullopt;
  return *text;
}

Status BuildCache::put(const std::string& key, const std::string& diff_id) const {
  TRY(make_directories(directory_ / "steps"));
  // Not synced: after a crash a torn record is no digest, and the step runs again.
  const fs::path temporary = directory_ / ("." + random_hex(16));
  TRY(write_file(temporary, diff_id));
  if (::rename(temporary.c_str(), (directory_ / "steps" / key).c_str()) != 0)
    return Error::os(errno, "recording a build step");
  return ok_status();
}

std::set<std::string> BuildCache::held_layers() const {
  std::set<std::string> out;
  std::error_code ec;
  for (const auto& item : fs::directory_iterator(directory_ / "steps", ec)) {
    if (auto diff_id = find(item.path().filename())) out.insert(std::move(*diff_id));
  }
  return out;
}

Status BuildCache::clear() const { return remove_tree(directory_); }

Result<fs::path> BuildCache::mount_directory(const std::string& id) const {
  const fs::path path = directory_ / "mounts" / sha256_hex(id).substr(0, 20);
  TRY(make_directories(path));
  return path;
}

}  // namespace stack::images
