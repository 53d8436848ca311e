// What a traced run of the loader left behind about where values come from: the places that wrote
// them, what these replaced, and the files and variables behind them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compose/discover.h"
#include "compose/explain.h"
#include "compose/trace.h"

namespace stack::compose {

struct Traced {
  const LoadOptions& options;
  const Sources& sources;
  const Trace& trace;
  const Project& project;
  const Node& root;                         // the canonical tree
  const std::vector<EnvFileValue>& values;  // of .env or --env-file
};

// The node at a path of keys and positions, null when there is none. A key may hold dots, so the
// longest that fits is taken.
const Node* find_path(const Node& root, std::string_view path);
// "a.b.[0]" and "a.b[0]" are the same to people.
std::string tidy(std::string path);

class Origins {
 public:
  explicit Origins(const Traced& traced) : traced_(traced) {}

  // Of what stands at the place.
  ValueOrigin file(Place place, std::string value) const;
  // Appends what the value at `place` replaced, and what that had replaced. A value may have moved
  // to another path on the way (extends, anchors), so that its place decides when the path does
  // not.
  void add_replaced(const std::string& path, Place place, std::vector<ValueOrigin>& origins) const;
  // In the text that was written there.
  std::vector<UsedVariable> variables_at(Place place) const;
  // Of the service's env_files that have the key, the last first.
  std::vector<ValueOrigin> env_files(const std::string& environment_path,
                                     const std::string& key) const;
  // All that give the variable a value, the strongest first.
  std::vector<ValueOrigin> variable(const std::string& name) const;
  UsedVariable look_up(const std::string& name) const;

 private:
  bool any_loss(Place place) const;

  const Traced& traced_;
};

}  // namespace stack::compose
