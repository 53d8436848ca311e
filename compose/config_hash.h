// What counts as a change of a service, network or volume: SHA-256 (64 hexadecimal digits) of the
// canonical form, byte for byte as Docker Compose computes it for the label
// com.docker.compose.config-hash. build, pull_policy, scale, deploy.replicas, depends_on, profiles
// and x-* of a service do not count.
#pragma once

#include <string>

#include "compose/project.h"

namespace stack::compose {

std::string config_hash(const Service& service);
// What is hashed: one line of JSON.
std::string config_text(const Service& service);
std::string config_hash(const Network& network);
std::string config_hash(const Volume& volume);

}  // namespace stack::compose
