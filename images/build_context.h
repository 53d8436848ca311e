// The files that COPY and ADD name: in the build context (less .dockerignore), a stage, or an
// image.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "images/dockerignore.h"

namespace stack::images {

struct CopySource {
  int root = -1;                         // borrowed
  const DockerIgnore* ignore = nullptr;  // of the context only
  bool reset_owner = false;              // the context's files belong to root
};

struct CopyItem {
  std::string path;  // in the source's root, absolute
  bool is_directory = false;
};

// The names a source pattern stands for, sorted. kInvalid "\"/x\": not found".
Result<std::vector<CopyItem>> expand_source(const CopySource& source, const std::string& pattern);
// A digest of everything copied: names, types, modes, contents, links; not times and not owners.
Result<std::string> content_digest(const CopySource& source, const std::vector<CopyItem>& items,
                                   const std::vector<std::string>& excludes);

struct CopyOrder {
  std::vector<CopyItem> items;
  std::string destination;      // absolute; a trailing slash means a directory
  bool into_directory = false;  // several sources
  std::optional<std::pair<unsigned, unsigned>> chown;
  std::optional<unsigned> chmod;
  std::vector<std::string> excludes;
  bool unpack = false;  // ADD: archives are unpacked
};
Status copy_items(const CopySource& source, const CopyOrder& order, int root_fd);

}  // namespace stack::images
