// Reads a directory tree as tar entries, in sorted order: for commits, build layers, `cp` and
// content hashes. Names are opened relative to their directory's descriptor and without following
// links.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "images/tar.h"

namespace stack::images {

struct TreeReaderOptions {
  // An overlay upper directory: device 0:0 and opaque attributes become the whiteouts of the OCI
  // layer format. Without it they are what they are.
  bool overlay_upper = false;
  std::string prefix;  // before every name: "dir" gives "dir", "dir/a"; empty gives "a"
  bool top = false;    // an entry for the directory itself
  std::function<bool(const std::string& relative_path, bool is_directory)> include;  // nothing: all
  bool xattrs = true;
};

// `file` is an open descriptor for regular files with content, else -1.
using TreeVisitor = std::function<Status(const TarEntry& entry, int file)>;

// Attributes of an open file, without those of overlayfs.
Result<std::vector<std::pair<std::string, std::string>>> file_xattrs(int fd);

Status read_tree(int directory_fd, const TreeReaderOptions& options, const TreeVisitor& visit);
// The entry of one name that is not a directory.
Status read_single(int parent_fd, const std::string& name, const std::string& entry_name,
                   bool xattrs, const TreeVisitor& visit);

}  // namespace stack::images
