// What the scheduler sees of a project: the engine's records in its terms.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "base/sha256.h"
#include "engine/containers.h"
#include "engine/local_engine.h"
#include "engine/networks.h"
#include "engine/revisions.h"
#include "engine/volumes.h"
#include "images/store.h"
#include "scheduler/labels.h"

namespace stack::engine {

namespace {

using scheduler::kProjectLabel;
using scheduler::kServiceLabel;
using scheduler::label_of;

constexpr std::size_t kLargestInput = 16U << 20U;
constexpr std::size_t kShownOutput = 400;

bool same_directory(const std::string& a, const std::string& b) {
  struct stat one {};
  struct stat other {};
  return a == b || (::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 &&
                    one.st_dev == other.st_dev && one.st_ino == other.st_ino);
}

// Is the project that these labels speak of still where they say? One that was moved is not.
bool still_there(const std::string& directory, const std::string& files) {
  std::size_t begin = 0;
  while (begin <= files.size()) {
    const std::size_t end = std::min(files.find(',', begin), files.size());
    const std::string file = files.substr(begin, end - begin);
    std::error_code error;
    if (file == "-" && std::filesystem::is_directory(directory, error)) return true;
    if (!file.empty() && std::filesystem::exists(file, error)) return true;
    begin = end + 1;
  }
  return false;
}

std::optional<std::string> other_directory(const std::vector<scheduler::ObservedContainer>& seen,
                                           const std::string& ours) {
  std::set<std::string> judged = {ours, ""};
  for (const auto& c : seen) {
    if (!judged.insert(c.working_dir).second || same_directory(c.working_dir, ours)) continue;
    if (still_there(c.working_dir, label_of(c.labels, scheduler::kConfigFilesLabel)))
      return c.working_dir;
  }
  return std::nullopt;
}

}  // namespace

scheduler::ObservedContainer observed_container(const Container& c) {
  const auto& labels = c.config.labels;
  scheduler::ObservedContainer o;
  o.id = c.id;
  o.name = c.name;
  o.project = label_of(labels, kProjectLabel);
  o.service = label_of(labels, kServiceLabel);
  o.one_off = label_of(labels, "com.docker.compose.oneoff") == "True";
  o.number =
      o.one_off ? 0 : std::atoi(label_of(labels, "com.docker.compose.container-number").c_str());
  o.slug = label_of(labels, "com.docker.compose.slug");
  o.state = c.status;
  if (is_up(c.status)) o.health = c.health.status;
  o.has_healthcheck = c.config.healthcheck && !c.config.healthcheck->test.empty() &&
                      c.config.healthcheck->test.front() != "NONE";
  o.exit_code = c.exit_code;
  o.restart_count = c.restart_count;
  o.standby = c.standby;
  o.stop_requested = c.manually_stopped;
  o.error = c.error;
  o.restart_reason = c.restart_reason;
  o.oom_killed = c.oom_killed;
  o.failing_streak = c.health.failing_streak;
  if (!c.health.log.empty() && c.health.log.back().exit_code != 0)
    o.probe_output = c.health.log.back().output.substr(0, kShownOutput);
  for (const auto& port : c.ports) {
    o.published.push_back(port.host_ip + ":" + std::to_string(port.host_port) + "->" +
                          std::to_string(port.container_port) + "/" + port.protocol);
  }
  o.config_hash = label_of(labels, "com.docker.compose.config-hash");
  o.image_id = label_of(labels, "com.docker.compose.image");
  o.image = c.config.image;
  o.depends_on = label_of(labels, "com.docker.compose.depends_on");
  o.working_dir = label_of(labels, "com.docker.compose.project.working_dir");
  for (const auto& endpoint : c.endpoints) o.networks[endpoint.network_name] = endpoint.network_id;
  for (const auto& mount : c.mounts) {
    if (!mount.volume.empty())
      o.mounts.push_back({mount.config.target, mount.volume, mount.anonymous});
  }
  static constexpr std::string_view kContainer = "container:";
  for (const auto* mode :
       {&c.config.network_mode, &c.config.ipc_mode, &c.config.pid_mode, &c.config.uts_mode}) {
    if (mode->rfind(kContainer, 0) == 0) o.joined.push_back(mode->substr(kContainer.size()));
  }
  for (const auto& from : c.config.volumes_from) o.joined.push_back(from.substr(0, from.find(':')));
  o.labels = labels;
  o.created_at = c.created;
  if (c.started_at) o.started_at = *c.started_at;
  if (c.finished_at) o.finished_at = *c.finished_at;
  return o;
}

void LocalEngine::observe(const scheduler::ObserveRequest& request,
                          Done<scheduler::Observed> done) {
  scheduler::Observed observed;
  for (const Container* c : services_.containers->list()) {
    if (label_of(c->config.labels, kProjectLabel) == request.project)
      observed.containers.push_back(observed_container(*c));
  }
  const auto asked = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const Network* n : services_.networks->list()) {
    const auto& config = n->config;
    if (label_of(config.labels, kProjectLabel) != request.project &&
        !asked(request.networks, config.name))
      continue;
    observed.networks[config.name] = {config.name, n->id,
                                      label_of(config.labels, "com.docker.compose.config-hash"),
                                      config.labels};
  }
  for (const Volume* v : services_.volumes->list()) {
    if (label_of(v->labels, kProjectLabel) != request.project && !asked(request.volumes, v->name))
      continue;
    observed.volumes[v->name] = {v->name, label_of(v->labels, "com.docker.compose.config-hash"),
                                 v->labels};
  }
  for (const auto& reference : request.images) {
    auto image = services_.store.find(reference);
    if (!image.ok()) continue;
    observed.image_ids[reference] = image->id;
    observed.image_ages[reference] = image->last_tagged;
  }
  for (const auto& file : request.files) {
    if (const auto text = read_file(file, kLargestInput); text.ok())
      observed.file_digests[file] = sha256_hex(*text);
  }
  if (!request.working_dir.empty())
    observed.other_directory = other_directory(observed.containers, request.working_dir);
  observed.declared_before = revisions_.lookup(request.project);
  observed.now = services_.clock.wall();
  done(std::move(observed));
}

}  // namespace stack::engine
