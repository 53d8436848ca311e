// --volume, --mount and --tmpfs in the API's words. Pure but for the working directory.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace stack::cli::docker {

// What -v means: a bind or named volume for HostConfig.Binds, or (no source) an anonymous volume,
// whose path goes into Config.Volumes.
struct VolumeSpec {
  std::string bind;       // "SOURCE:TARGET[:OPTIONS]", a relative source made absolute
  std::string anonymous;  // "/data"
};
Result<VolumeSpec> parse_volume(const std::string& text);

// One element of HostConfig.Mounts as JSON.
Result<std::string> mount_json(const std::string& text);

}  // namespace stack::cli::docker
