// The table of containers' use of resources that `stats` of Compose and of Docker show.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/engine_api.h"

namespace stack::cli {

struct StatsContainer {
  std::string id;
  std::string name;
  std::string asked_for;  // as the user named it
};
// Asked again for every picture, so that new containers appear.
using StatsLister = std::function<Result<std::vector<StatsContainer>>()>;

struct StatsOptions {
  std::string format;
  bool truncate = true;
  bool once = false;
};

Status show_stats(const Engine& engine, const StatsLister& list, const StatsOptions& options);

}  // namespace stack::cli
