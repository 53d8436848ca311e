// Paths as text, and the members of a project that are paths.
#pragma once

#include <string>
#include <string_view>

#include "compose/node.h"
#include "compose/project.h"

namespace stack::compose {

// "/a/b/../c" -> "/a/c"; a trailing slash goes. Of nothing nothing.
std::string clean_path(std::string_view path);
// The same; a relative path is put under `base`.
std::string join_path(const std::string& base, const std::string& path);
std::string directory_of(const std::string& path);
// How `path` is written under `base`, both absolute: "../other".
std::string relative_path(const std::string& path, const std::string& base);

// Makes the paths in canonical services, volumes, configs and secrets absolute: relative ones are
// put under `directory`, "~" is `home`.
void resolve_paths(Node& root, const std::string& directory, const std::string& home);
void resolve_service_paths(Node& service, const std::string& directory, const std::string& home);

// HOME of an environment, or "".
std::string home_of(const StringMap& environment);

// "open FILE: no such file or directory": why a file could not be read, as Compose says it.
std::string read_failure(const std::string& path, const Error& error);

}  // namespace stack::compose
