// Parts of default_spec() that are concepts of their own: the user's mounts, devices and sysctls.
#pragma once

#include <string>
#include <vector>

#include "runtime/default_spec.h"

namespace stack::runtime {

// Binds, volumes and tmpfs as OCI mounts, parents before children.
Result<std::vector<Mount>> user_mounts(const ContainerOptions& options);
// "rw,size=1m,exec" -> mount options over the defaults noexec,nosuid,nodev.
Result<std::vector<std::string>> tmpfs_options(const std::string& text);

// Device nodes (looked up on the host) and device rules, in the order of Docker's list.
Status set_devices(const ContainerOptions& options, Linux* linux_part);
Result<DeviceRule> parse_device_rule(const std::string& text);

Status check_sysctl(const std::string& name, const ContainerOptions& options);

}  // namespace stack::runtime
