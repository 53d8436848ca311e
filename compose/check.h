// What a project must satisfy beyond the shape of its files: every reference has its target,
// nothing contradicts itself, the dependencies have an order.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compose/node.h"
#include "compose/project.h"
#include "compose/report.h"

namespace stack::compose {

// On the canonical tree, before it becomes a model.
void check_tree(const Node& root, Report& report);
// On the model with its active services. `root` only gives the places.
void check_project(const Project& project, const Node& root, Report& report);

// Its part for depends_on: everything that is depended on is there, and nothing waits for itself.
void check_dependencies(const Project& project, const Node& root, Report& report);

// What ends the messages about references that lead nowhere, as Docker Compose has it.
inline constexpr const char* kInvalid = ": invalid compose project";

// What might have been meant.
template <typename T>
std::vector<std::string> names_of(const std::map<std::string, T>& objects) {
  std::vector<std::string> names;
  for (const auto& [name, object] : objects) names.push_back(name);
  return names;
}

// The place of the deepest part of a path that exists: keys, and list items by their text or
// source.
Place place_of(const Node& root, std::initializer_list<std::string_view> path);

}  // namespace stack::compose
