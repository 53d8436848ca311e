// A container's root file system seen from outside while it does not run: an overlay that is
// mounted nowhere.
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace stack::engine {

// A directory descriptor of the merged tree; the mount lives as long as the descriptor. Must not be
// used while a container has the same upper directory mounted, overlayfs(5) "sharing". By fsopen(2)
// with lowerdir+ (Linux 6.7), else by mount(2) in a mount namespace of its own.
Result<Fd> open_overlay(const std::vector<std::filesystem::path>& lowers,
                        const std::filesystem::path& upper, const std::filesystem::path& work);

}  // namespace stack::engine
