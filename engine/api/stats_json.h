// GET /containers/x/stats: a sample as Docker's document. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "engine/model.h"
#include "runtime/container.h"

namespace stack::engine::api {

struct StatsSample {
  WallTime time;
  runtime::Stats stats;
};

// Without samples the container does not run, and every figure is zero.
nlohmann::json stats_json(const Container& c, const std::optional<StatsSample>& now,
                          const std::optional<StatsSample>& before);

}  // namespace stack::engine::api
