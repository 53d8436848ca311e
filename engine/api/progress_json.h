// Lines of progress as the Docker API streams them. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "images/store.h"

namespace stack::engine::api {

nlohmann::json progress_line(const images::Progress& progress);
nlohmann::json error_line(const Error& error);
// "[=====>      ]  1.5MB/3MB"
std::string progress_bar(std::int64_t current, std::int64_t total);
std::string human_size(std::int64_t bytes);  // decimal units, four digits: "1.984MB"

}  // namespace stack::engine::api
