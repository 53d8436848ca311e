// Fills in everything that the files leave to convention: names, the default network, dependencies
// that follow from links and shared namespaces, cleaned mount targets, values that come from the
// project's environment.
#pragma once

#include "compose/project.h"

namespace stack::compose {

// `project.name` and `project.environment` are set.
void normalize(Project& project);

// Named volumes, networks, configs and secrets that no service uses are dropped.
void drop_unused(Project& project);

// "service:x" -> "x", else empty.
std::string service_of_mode(const std::string& mode);

}  // namespace stack::compose
