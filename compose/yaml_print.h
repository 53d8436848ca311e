// Trees to YAML: block style, two spaces, lists indented under their key; strings are quoted only
// where a reader would take them for something else (also a YAML 1.1 reader: "no", "22:22").
#pragma once

#include <string>

#include "compose/node.h"

namespace stack::compose {

std::string print_yaml(const Node& node);
// Adds an entry of a map that is indented.
void print_yaml(const Entry& entry, int indent, std::string& out);

// The order in which Docker Compose prints keys: numbers inside count as numbers (web2 before
// web10), and letters come after everything else.
bool natural_less(const std::string& a, const std::string& b);
// Of the entries of a map.
void sort_entries(Node& map);
// Of all maps in a tree.
void sort_keys(Node& tree);

}  // namespace stack::compose
