// A detached overlay mount: no path, no mount point, gone with its descriptor. For looking into a
// stack of layers and for COPY. Needs CAP_SYS_ADMIN. Runtime mounts of containers are not made
// here.
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace stack::images {

// `lowers` topmost first, at least one. Without `upper` the mount is read-only. The result is an
// O_PATH-like directory descriptor for openat2.
Result<Fd> mount_overlay(const std::vector<std::filesystem::path>& lowers,
                         const std::filesystem::path& upper = {},
                         const std::filesystem::path& work = {});

}  // namespace stack::images
