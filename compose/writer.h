// Model to tree, in the order and with the omissions of the chosen style.
#pragma once

#include "compose/node.h"
#include "compose/project.h"

namespace stack::compose {

enum class Style {
  kModel,  // JSON that loads to the same model: some empty objects and null commands are shown
  kJson,   // `config --format json` as Docker Compose prints it: no x-* below the top, no models
  kYaml,   // `config`
  kHash,   // the bytes that Docker Compose hashes: no x-*, its own spelling of some keys
};

Node write(const Project& project, Style style);
// The same with no service in it.
Node write_frame(const Project& project, Style style);
Node write(const Service& service, Style style);
Node write(const Network& network, Style style);
Node write(const Volume& volume, Style style);

}  // namespace stack::compose
