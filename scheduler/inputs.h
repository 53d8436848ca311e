// The contents of a service's configs and secrets, as far as they decide whether a container is
// kept. Docker Compose leaves them out of its hash and an edit out of the container; here they are
// in a label of their own, so that its hash stays byte for byte the same. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compose/project.h"
#include "scheduler/observed.h"

namespace stack::scheduler {

inline constexpr const char* kInputsLabel = "io.stack.inputs";

// Paths of the files that the services' configs and secrets are made of, sorted.
std::vector<std::string> input_files(const compose::Project& project);

// "config:app=0123456789abcdef,secret:db=..." by name, 16 digits of SHA-256 each; empty for none. A
// file without a digest (a directory, or unreadable) is left out.
std::string inputs_of(const compose::Project& project, const compose::Service& service,
                      const std::map<std::string, std::string>& file_digests);

// What differs between two of these: "config app"; nothing when they are the same.
std::optional<std::string> changed_input(const std::string& before, const std::string& now);

}  // namespace stack::scheduler
