// A detached overlay mount: no path, no mount point, gone with its descriptor. For looking into a
// stack of layers, for COPY, and for the root of a container that does not run. Needs
// CAP_SYS_ADMIN. A running container's own mount is made by its shim.
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace stack::images {

// `lowers` topmost first, at least one. Without `upper` the mount is read-only. The result is an
// O_PATH-like directory descriptor for openat2. No renames by redirect and no files without data:
// `upper` is a complete layer. Nobody else may have `upper` mounted meanwhile (overlayfs, "Sharing
// and copying layers"). By fsopen(2) with lowerdir+ (Linux 6.7, paths of up to 255 bytes), else by
// mount(2).
Result<Fd> mount_overlay(const std::vector<std::filesystem::path>& lowers,
                         const std::filesystem::path& upper = {},
                         const std::filesystem::path& work = {});

}  // namespace stack::images
