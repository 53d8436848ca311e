#include "engine/boot.h"

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/containers.h"
#include "engine/daemon.h"
#include "engine/state_store.h"
#include "scheduler/supervisor.h"

namespace stack::engine {

namespace {

constexpr const char* kKind = "boot";

std::string label(const Container& c, const char* name) {
  const auto it = c.config.labels.find(name);
  return it == c.config.labels.end() ? std::string() : it->second;
}
std::string project_of(const Container& c) { return label(c, "com.docker.compose.project"); }
std::string service_of(const Container& c) { return label(c, "com.docker.compose.service"); }

Result<std::string> boot_id() { return read_file("/proc/sys/kernel/random/boot_id", 64); }

}  // namespace

bool first_start_since_boot(const std::filesystem::path& run_dir) {
  const auto mark = read_file(run_dir / "boot");
  const auto now = boot_id();
  return !mark.ok() || (now.ok() && *mark != *now);
}

Status mark_boot(const std::filesystem::path& run_dir) {
  return write_file(run_dir / "boot", TRY(boot_id()));
}

Status enable_project(const Paths& paths, StateStore& state, const std::string& name) {
  TRY(make_directories(paths.root / "enabled", 0755));
  TRY(write_file(paths.root / "enabled" / name, ""));
  return state.erase(kKind, name);
}

Status disable_project(const Paths& paths, StateStore& state, const std::string& name) {
  std::error_code ec;
  std::filesystem::remove(paths.root / "enabled" / name, ec);
  if (ec) return Error::os(ec.value(), (paths.root / "enabled" / name).string());
  return state.put(kKind, name, "disabled");
}

std::set<std::string> disabled_projects(const StateStore& state) {
  std::set<std::string> out;
  if (const auto records = state.all(kKind); records.ok()) {
    for (const auto& [name, text] : *records) out.insert(name);
  }
  return out;
}

std::set<std::string> services_to_start(const compose::Project& project,
                                        const std::set<std::string>& wanted,
                                        const std::set<std::string>& done) {
  std::set<std::string> out;
  std::vector<std::string> next(wanted.begin(), wanted.end());
  while (!next.empty()) {
    const std::string name = next.back();
    next.pop_back();
    const auto service = project.services.find(name);
    if (service == project.services.end() || !out.insert(name).second) continue;
    for (const auto& [dependency, how] : service->second.depends_on) {
      const bool job = how.condition == "service_completed_successfully";
      if (!(job && done.contains(dependency))) next.push_back(dependency);
    }
  }
  return out;
}

void ProjectBoot::begin(const std::vector<std::string>& containers) {
  const std::set<std::string> disabled = disabled_projects(services_.state);
  std::map<std::string, std::set<std::string>> wanted;
  for (const auto& id : containers) {
    const auto c = services_.containers->find(id);
    if (!c.ok() || disabled.contains(project_of(**c)) || service_of(**c).empty()) continue;
    wanted[project_of(**c)].insert(service_of(**c));
  }
  for (auto& [name, services] : wanted) {
    if (const scheduler::Kept* kept = supervisor_.kept(name)) {
      std::set<std::string> done;
      for (const Container* c : services_.containers->list()) {
        if (project_of(*c) == name && c->status == RunState::kExited && c->exit_code == 0)
          done.insert(service_of(*c));
      }
      services = services_to_start(*kept->project, services, done);
    }
    log_info("project {}: coming back after the boot of the machine", name);
    start(name, services, std::chrono::seconds(1));
  }
}

void ProjectBoot::start(const std::string& project, const std::set<std::string>& wanted,
                        Duration retry) {
  const scheduler::Kept* kept = supervisor_.kept(project);
  scheduler::ServicesOptions options;
  options.services.assign(wanted.begin(), wanted.end());
  options.no_deps = true;  // what they depend on is among them, unless it is a job that is done
  const auto ended = [this, project, wanted, retry](Result<scheduler::RunResult> result) {
    --under_way_;
    if (result.ok() || result.error().kind == ErrorKind::kCancelled) return;
    log_error("project {}: coming back: {}", project, result.error().to_string());
    retries_[project] = services_.loop.after(retry, [this, project, wanted, retry] {
      start(project, wanted, std::min<Duration>(2 * retry, std::chrono::minutes(1)));
    });
  };
  ++under_way_;
  supervisor_.verb(scheduler::Verb::kStart, project, kept != nullptr ? kept->project : nullptr,
                   options, {}, ended);
}

}  // namespace stack::engine
