// Volumes of the local driver with options: a device, a directory, a tmpfs or a network file system
// mounted at the volume's place while containers use it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/error.h"

namespace stack::engine {

using VolumeOptions = std::map<std::string, std::string>;  // type, o, device

// Docker's rules and texts: the known names, and which of them need each other. Pure.
Status check_volume_options(const VolumeOptions& options);

// A volume that is a directory of the host under another name (type none, o bind): that directory.
// Empty for others. Pure.
std::string bound_directory(const VolumeOptions& options);

// Flags of mount(2) and what is left for the file system. Pure.
struct MountArguments {
  unsigned long flags = 0;
  std::string data;
};
MountArguments mount_arguments(const std::string& text);

// Mounts it unless it is mounted; blocking.
Status mount_volume(const VolumeOptions& options, const std::filesystem::path& mountpoint);
// Idempotent; blocking.
Status unmount_volume(const std::filesystem::path& mountpoint);

}  // namespace stack::engine
