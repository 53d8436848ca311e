#include "cli/watch_rules.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"

namespace stack::cli {

namespace {

namespace fs = std::filesystem;

// What editors leave beside the file for a moment, and the repository's own bookkeeping.
constexpr std::string_view kNeverWatched =
    "**/.git\n**/.hg\n**/*~\n**/.*.swp\n**/.*.swx\n**/.*.swo\n**/4913\n**/.#*\n**/#*#\n"
    "**/___jb_tmp___\n**/___jb_old___\n";

// The path inside the directory, "" for itself, nullopt outside.
std::optional<std::string> relative(const std::string& path, const std::string& directory) {
  if (path == directory) return "";
  if (path.size() > directory.size() + 1 && path.compare(0, directory.size(), directory) == 0 &&
      path[directory.size()] == '/') {
    return path.substr(directory.size() + 1);
  }
  return std::nullopt;
}

std::string lines(const std::vector<std::string>& patterns) {
  std::string out;
  for (const auto& pattern : patterns) out += pattern + "\n";
  return out;
}

bool bind_mounted(const compose::Service& service, const std::string& path) {
  return std::any_of(service.volumes.begin(), service.volumes.end(), [&](const auto& volume) {
    return volume.type == "bind" && relative(path, volume.source).has_value();
  });
}

}  // namespace

bool WatchRule::matches(const std::string& path) const {
  const auto inside = relative(path, trigger.path);
  if (!inside) return false;
  if (inside->empty()) return true;
  if (ignore.excluded(*inside)) return false;
  if (!include.empty() && !include.excluded(*inside)) return false;
  const auto in_context = context_path.empty() ? std::nullopt : relative(path, context_path);
  return !in_context || !context.excluded(*in_context);
}

bool WatchRule::can_skip(const std::string& directory) const {
  const auto inside = relative(directory, trigger.path);
  if (!inside) return true;
  if (inside->empty()) return false;
  if (ignore.can_skip_directory(*inside)) return true;
  const auto in_context = context_path.empty() ? std::nullopt : relative(directory, context_path);
  return in_context && !in_context->empty() && context.can_skip_directory(*in_context);
}

std::string WatchRule::target_of(const std::string& path) const {
  const auto inside = relative(path, trigger.path);
  if (!inside || inside->empty()) return trigger.target;
  return (fs::path(trigger.target) / *inside).string();
}

Result<WatchRules> watch_rules(const compose::Project& project,
                               const std::vector<std::string>& services) {
  WatchRules out;
  for (const auto& [name, service] : project.services) {
    if (!services.empty() && std::find(services.begin(), services.end(), name) == services.end())
      continue;
    if (!service.develop) continue;
    images::DockerIgnore context;
    std::string context_path;
    if (service.build && !service.build->context.empty() && service.build->context[0] == '/') {
      context_path = service.build->context;
      if (const std::string file = context_path + "/.dockerignore"; exists(file))
        context = images::DockerIgnore(TRY(read_file(file)));
    }
    for (const auto& trigger : service.develop->watch) {
      WatchRule rule;
      rule.service = name;
      rule.trigger = trigger;
      if (trigger.action == "rebuild" && !service.build) {
        return Error::invalid(fmt::format(
            "can't watch service \"{}\" with action rebuild without a build context", name));
      }
      if (trigger.action.rfind("sync", 0) == 0 && bind_mounted(service, trigger.path)) {
        out.warnings.push_back(fmt::format(
            "path '{}' also declared by a bind mount volume, this path won't be monitored!",
            trigger.path));
        continue;
      }
      rule.ignore = images::DockerIgnore(std::string(kNeverWatched) + lines(trigger.ignore));
      rule.include = images::DockerIgnore(lines(trigger.include));
      rule.context = context;
      rule.context_path = context_path;
      out.rules.push_back(std::move(rule));
    }
  }
  if (out.rules.empty()) {
    return Error::invalid(
        "none of the selected services is configured for watch, consider setting a 'develop' "
        "section");
  }
  return out;
}

std::map<std::string, WatchWork> work_for(const std::vector<WatchRule>& rules,
                                          const std::set<std::string>& changed) {
  std::map<std::string, WatchWork> out;
  for (const WatchRule& rule : rules) {
    for (const std::string& path : changed) {
      if (!rule.matches(path)) continue;
      WatchWork& work = out[rule.service];
      const std::string& action = rule.trigger.action;
      if (action == "rebuild") work.rebuild = true;
      if (action == "restart" || action == "sync+restart") work.restart = true;
      if (action.rfind("sync", 0) == 0) work.files[path] = rule.target_of(path);
      if (action == "sync+exec" && rule.trigger.exec &&
          std::find(work.execs.begin(), work.execs.end(), &*rule.trigger.exec) == work.execs.end())
        work.execs.push_back(&*rule.trigger.exec);
    }
  }
  return out;
}

}  // namespace stack::cli
