#include "engine/api/progress_json.h"

#include <fmt/core.h>

#include "engine/json_fields.h"

namespace stack::engine::api {

std::string human_size(std::int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.4g}{}", value, kUnits[unit]);
}

std::string progress_bar(std::int64_t current, std::int64_t total) {
  if (total <= 0) return human_size(current);
  const auto filled = static_cast<std::size_t>(std::min<std::int64_t>(50, 50 * current / total));
  std::string bar(filled, '=');
  bar += '>';
  bar.resize(51, ' ');
  return fmt::format("[{}] {:>8}/{}", bar.substr(0, 50), human_size(current), human_size(total));
}

Json progress_line(const images::Progress& progress) {
  Json out = {{"status", progress.status}};
  if (progress.id.empty()) return out;
  out["id"] = progress.id;
  out["progressDetail"] = Json::object();
  if (progress.current > 0 || progress.total > 0) {
    out["progressDetail"]["current"] = progress.current;
    if (progress.total > 0) out["progressDetail"]["total"] = progress.total;
    out["progress"] = progress_bar(progress.current, progress.total);
  }
  return out;
}

Json error_line(const Error& error) {
  std::string message = error.to_string();
  if (!error.remedy.empty()) message += ". " + error.remedy;
  return {{"errorDetail", {{"message", message}}}, {"error", message}};
}

}  // namespace stack::engine::api
