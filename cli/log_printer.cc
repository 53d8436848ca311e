#include "cli/log_printer.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "cli/table.h"

namespace stack::cli {

namespace {
constexpr std::array<std::string_view, 10> kColours{"36",   "33",   "32",   "35",   "34",
                                                    "36;1", "33;1", "32;1", "35;1", "34;1"};
}

void LogPrinter::register_name(std::string_view name) {
  if (colours_.find(name) != colours_.end()) return;
  colours_.emplace(name, kColours[colours_.size() % kColours.size()]);
  width_ = std::max(width_, display_width(name));
}

std::string LogPrinter::line(std::string_view name, std::string_view text) {
  if (!options_.prefix) return fmt::format("{}\n", text);
  register_name(name);
  const std::string padding(width_ + 1 - std::min(width_, display_width(name)), ' ');
  if (!options_.colour) return fmt::format("{}{} | {}\n", name, padding, text);
  return fmt::format("\033[{}m{}{} | \033[0m{}\n", colours_.find(name)->second, name, padding,
                     text);
}

std::string LogPrinter::status(std::string_view text) const {
  return fmt::format("\r\033[K{}\n", text);
}

std::string name_in_project(std::string_view container, std::string_view project) {
  if (container.size() > project.size() + 1 && container.starts_with(project) &&
      (container[project.size()] == '-' || container[project.size()] == '_')) {
    return std::string(container.substr(project.size() + 1));
  }
  return std::string(container);
}

}  // namespace stack::cli
