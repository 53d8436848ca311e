// What a project must satisfy beyond the shape of its files: every reference has its target,
// nothing contradicts itself, the dependencies have an order.
#pragma once

#include "compose/node.h"
#include "compose/project.h"
#include "compose/report.h"

namespace stack::compose {

// On the canonical tree, before it becomes a model.
void check_tree(const Node& root, Report& report);
// On the model with its active services. `root` only gives the places.
void check_project(const Project& project, const Node& root, Report& report);

// The place of the deepest part of a path that exists: keys, and list items by their text or
// source.
Place place_of(const Node& root, std::initializer_list<std::string_view> path);

}  // namespace stack::compose
