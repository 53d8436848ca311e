// Writes archive entries below a directory: the only way in which files of an image, a build
// context or a `cp` reach the disk. Every name is resolved by openat2 RESOLVE_IN_ROOT; nothing
// outside the directory is touched, whatever the entries say. In layer mode the whiteouts of the
// OCI layer format become those of overlayfs: a character device 0:0 for a removed name, the
// attribute trusted.overlay.opaque for a directory that hides the one below. They act on lower
// layers only: an entry of the same layer wins over a whiteout of its name in any order.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "images/tar.h"

namespace stack::images {

struct TreeWriterOptions {
  bool layer = false;  // translate whiteouts
  bool no_overwrite_dir_with_non_dir = false;
  std::optional<std::pair<uid_t, gid_t>> chown;
  std::int64_t max_entries = 20'000'000;
};

// How a name in a layer is to be understood. Pure.
struct LayerName {
  enum class Kind { kFile, kWhiteout, kOpaque, kSkip };
  Kind kind = Kind::kFile;
  std::vector<std::string> parts;  // of the file, of the removed name, or of the opaque directory
};
// kInvalid: "invalid entry name", "invalid whiteout entry".
Result<LayerName> classify_layer_name(const std::string& path, bool layer);

class TreeWriter {
 public:
  TreeWriter(Fd root, TreeWriterOptions options);
  // Applies all entries of the archive.
  Status write(TarReader& reader);
  // One entry whose content comes from a descriptor (-1: none).
  Status write_entry(const TarEntry& entry, int file);
  // Sets directory times, which later entries would change again.
  Status finish();
  std::int64_t bytes() const { return bytes_; }  // of regular files

 private:
  struct Directory {
    std::string path;
    std::int64_t mtime;
    long nanos;
  };
  using Content = std::function<Status(int to_fd)>;
  Status apply(const TarEntry& entry, const Content& content);
  Status apply_named(const TarEntry& entry, const std::vector<std::string>& parts,
                     const Content& content);
  Status whiteout(const std::vector<std::string>& parts);
  Status opaque(const std::vector<std::string>& parts);
  Result<int> parent_of(const std::vector<std::string>& parts);  // cached descriptor
  Status replace_whiteouts(const std::vector<std::string>& parts);
  Status make_room(int parent, const std::string& name, const TarEntry& entry);
  Status regular(int parent, const std::string& name, const TarEntry& entry,
                 const Content& content);
  Status directory(int parent, const std::string& name, const TarEntry& entry,
                   const std::string& path);
  Status special(int parent, const std::string& name, const TarEntry& entry);
  Status hard_link(int parent, const std::string& name, const TarEntry& entry);
  Status set_metadata(int fd, const TarEntry& entry, bool times);

  Fd root_;
  TreeWriterOptions options_;
  Fd parent_;
  std::string parent_path_;
  std::vector<Directory> directories_;
  std::int64_t entries_ = 0;
  std::int64_t bytes_ = 0;
};

// Removes a name and all below it, without following links.
Status remove_at(int parent, const std::string& name);

}  // namespace stack::images
