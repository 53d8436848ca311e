// What the engine puts into every container's own layer, as Docker does: /.dockerenv, by which
// programs know where they are, the files and directories that something is mounted on, and
// /etc/mtab. Whatever the image has of them stays as it is. Blocking.
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.h"

namespace stack::engine {

// Of `lowers` the topmost comes first. What is there already, a removal also, is left alone: the
// directory is the container's, and no link in it is followed.
Status add_init_files(const std::filesystem::path& upper,
                      const std::vector<std::filesystem::path>& lowers);

}  // namespace stack::engine
