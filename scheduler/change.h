// What differs between two definitions of a service, attribute by attribute: the cause that a plan
// states. Pure.
#pragma once

#include <string>
#include <vector>

#include "compose/project.h"

namespace stack::scheduler {

struct Change {
  std::string path;  // "environment.COLOUR", "ports[0].published"
  std::string
      before;  // JSON on one line; empty: it was not there. Hidden for what looks like a secret
  std::string after;  // the same; empty: it is gone

  bool operator==(const Change&) const = default;
};

// In the order of the canonical form, of what counts for the configuration hash.
std::vector<Change> changes_between(const compose::Service& before, const compose::Service& after);

// "environment.COLOUR changed from "red" to "blue"; two more differ" - at most three are named.
std::string to_string(const std::vector<Change>& changes);

}  // namespace stack::scheduler
