// The containers of a project, found by their labels.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace stack::cli {

// Sorted by name. `services` empty: all of the project. A service that neither the file nor any
// container knows is an error.
Result<std::vector<Container>> project_containers(Context& context, const ProjectScope& scope,
                                                  const std::vector<std::string>& services,
                                                  bool all);

// The running container of a service that exec, attach, port and cp mean: the lowest number, or
// number `index`; a one-off only when there is no other.
Result<Container> running_container(Context& context, const ProjectScope& scope,
                                    const std::string& service, long index);

// Health in a status text: "", starting, healthy or unhealthy. The list has it there only.
std::string health_of(const Container& container);
// The number in "Exited (3) 5 seconds ago", else 0.
int exit_code_of(const Container& container);

}  // namespace stack::cli
