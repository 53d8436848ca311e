// Copying into and out of a directory that is somebody's root, safely: every path is resolved with
// openat2 RESOLVE_IN_ROOT below an open root descriptor, so that no symbolic link in it, also one
// that changes meanwhile, leads outside. For docker cp, the archive endpoints, first use of
// volumes, and COPY. Needs Linux 5.6.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace stack::images {

// openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, O_CLOEXEC, retried on EAGAIN. `path` may
// be absolute: it starts at root.
Result<Fd> open_in_root(int root_fd, const std::string& path, int flags, unsigned mode = 0);
// Creates missing directories component by component (0755, owner given) and opens the last one.
Result<Fd> make_directories_in_root(int root_fd, const std::string& path, unsigned mode = 0755,
                                    uid_t uid = 0, gid_t gid = 0);

// Where a path leads when all its links are followed within the root: absolute, "/usr/lib". The last
// link may lead nowhere; its target is the answer then.
Result<std::string> resolve_in_root(int root_fd, const std::string& path);

// What GET /containers/x/archive answers in its header.
struct PathStat {
  std::string name;  // last component
  std::int64_t size = 0;
  unsigned mode = 0;  // st_mode of Linux, with the file type
  WallTime mtime{};
  std::string link_target;
};
// Of the last component itself: a symbolic link is not followed, unless `follow`.
Result<PathStat> stat_in_root(int root_fd, const std::string& path, bool follow = false);

// docker export: the whole tree below the root, whose own entry is left out, with names such as
// "etc/hosts".
Status export_tar(int root_fd, int out_fd);
// Writes the tree at `path` as a tar; names start with the last component of the path (or with
// `rename_to`). "dir/." archives the contents below "./".
Status write_tar(int root_fd, const std::string& path, int out_fd,
                 const std::string& rename_to = {});

struct ExtractOptions {
  bool no_overwrite_dir_with_non_dir = false;    // docker's noOverwriteDirNonDir
  std::optional<std::pair<uid_t, gid_t>> chown;  // else the owners of the archive
};
// Unpacks a tar stream (plain or compressed) into the directory `path`. Refuses names with "..",
// hard links that leave the directory, and device 0:0; strips overlay.* attributes. kNotFound when
// the directory does not exist.
Status extract_tar(int root_fd, const std::string& path, int tar_fd,
                   const ExtractOptions& options = {});

struct CopyOptions {
  std::optional<std::pair<uid_t, gid_t>> chown;
  std::optional<unsigned> chmod;
  std::function<bool(const std::string& relative_path, bool is_directory)> include;  // nothing: all
};
// Copies the contents of one directory into another one (created if missing): data, owners, modes,
// times, xattrs, hard links, device nodes, links as links. A directory never takes the place of
// something else, nor the other way round. Also the first use of a volume: copy_tree(image_root,
// "/data", volume_fd, "/").
Status copy_tree(int from_root, const std::string& from, int to_root, const std::string& to,
                 const CopyOptions& options = {});
// Copies one file (symbolic links in `from` are followed within its root) to exactly the path `to`.
Status copy_file(int from_root, const std::string& from, int to_root, const std::string& to,
                 const CopyOptions& options = {});

}  // namespace stack::images
