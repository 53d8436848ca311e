// The files below /etc that the engine writes for a container: hosts, hostname, resolv.conf. They are
// mounted into it, so that a change reaches a running container. Blocking; any thread.
#pragma once

#include "base/error.h"
#include "engine/container_start.h"

namespace stack::engine {

// For a start.
Status write_etc_files(const StartJob& job);
// A running container has one more endpoint: its own name in hosts, and our resolver where it had
// the host's. What was edited in the container stays.
Status add_to_etc_files(const StartJob& job, const Endpoint& added);
// A running container has lost an endpoint. The resolver stays, as with Docker.
Status remove_from_etc_files(const std::filesystem::path& directory, const Endpoint& gone);

}  // namespace stack::engine
