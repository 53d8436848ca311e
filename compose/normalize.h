// What the files leave to convention, filled into the canonical tree: names, the default network,
// dependencies that follow from links and shared namespaces, cleaned mount targets, values that
// come from the project's environment.
#pragma once

#include <string>

#include "compose/node.h"
#include "compose/project.h"

namespace stack::compose {

// What holds even without normalisation: build contexts, targets of secrets, protocols of ports.
void set_defaults(Node& root);

// Lists of environment variables take what the environment has, which holds without normalisation
// as well.
void resolve_listed_environment(Node& root, const StringMap& environment);

void normalize(Node& root, const std::string& project, const StringMap& environment);

// Named volumes, networks, configs, secrets and models that no service uses are dropped.
void drop_unused(Project& project);

// "service:x" -> "x", else empty.
std::string service_of_mode(const std::string& mode);

}  // namespace stack::compose
