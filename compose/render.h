// The canonical document, as `config` prints it: the order of keys is the format's own, and every
// literal $ is doubled, so that the output loads to the same project. load_canonical(to_json(p)) ==
// p.
#pragma once

#include <string>

#include "compose/project.h"

namespace stack::compose {

std::string to_json(const Project& project);  // indented by two, newline at the end
// What Docker Compose prints for `config --format json`, which leaves some of the project out.
std::string to_docker_json(const Project& project);
std::string to_yaml(const Project& project);
// The variables that configs and secrets take their text from, as far as they are set: they are not
// in the document.
StringMap environment_of_files(const Project& project);

}  // namespace stack::compose
