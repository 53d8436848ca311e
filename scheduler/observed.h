// What an engine sees of one project at one moment. Lossless: duplicates, orphans and half-made
// objects are all in here, and choosing among them is the reconciler's job. Plain values.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "compose/project.h"

namespace stack::scheduler {

enum class ContainerState { kCreated, kRunning, kPaused, kRestarting, kRemoving, kExited, kDead };
enum class HealthStatus { kNone, kStarting, kHealthy, kUnhealthy };  // kNone: no health check

std::string_view to_string(ContainerState state);  // Docker's words: "created", "running", ...
std::string_view to_string(HealthStatus status);

// A volume mounted in a container.
struct ObservedMount {
  std::string target;
  std::string volume;      // the engine's name of the volume
  bool anonymous = false;  // made for this container because nobody named it

  bool operator==(const ObservedMount&) const = default;
};

struct ObservedContainer {
  std::string id;
  std::string name;     // without a leading slash
  std::string project;  // the labels, read
  std::string service;
  int number = 0;  // 0: none, as for one-offs
  bool one_off = false;
  std::string slug;  // one-offs only
  ContainerState state = ContainerState::kCreated;
  HealthStatus health = HealthStatus::kNone;  // as of now; kNone while it does not run
  bool has_healthcheck = false;
  int exit_code = 0;
  int restart_count = 0;
  bool standby = false;         // runs without the service's names and ports: TakeOver
  bool stop_requested = false;  // stopped by a command since its last start
  // Why it is as it is, for people.
  std::string error;           // of the last start that failed
  std::string restart_reason;  // "exited (1), restart policy always", or why it is not restarted
  bool oom_killed = false;
  int failing_streak = 0;              // health probes in a row
  std::string probe_output;            // of the last one that failed
  std::vector<std::string> published;  // "0.0.0.0:8080->80/tcp", while it runs
  std::string config_hash;             // label com.docker.compose.config-hash
  std::string image_id;                // label com.docker.compose.image
  std::string image;                   // the reference it was created from
  std::string depends_on;   // label text: "db:service_healthy:true,cache:service_started:false"
  std::string working_dir;  // label com.docker.compose.project.working_dir
  // Network name -> network id, of every network it is attached to or will be when it starts.
  std::map<std::string, std::string> networks;
  std::vector<ObservedMount> mounts;
  // Ids of the containers whose namespaces or volumes it uses (network_mode, ipc, pid: service:...,
  // volumes_from).
  std::vector<std::string> joined;
  std::map<std::string, std::string> labels;
  WallTime created_at{};
  WallTime started_at{};
  WallTime finished_at{};
};

struct ObservedNetwork {
  std::string name;
  std::string id;
  std::string config_hash;  // empty: none
  std::map<std::string, std::string> labels;
};

struct ObservedVolume {
  std::string name;
  std::string config_hash;  // empty: none
  std::map<std::string, std::string> labels;
};

struct Observed {
  std::vector<ObservedContainer> containers;        // of the project: replicas, one-offs, orphans
  std::map<std::string, ObservedNetwork> networks;  // by name
  std::map<std::string, ObservedVolume> volumes;    // by name
  std::map<std::string, std::string>
      image_ids;  // reference -> "sha256:..."; a missing image has no entry
  std::map<std::string, WallTime>
      image_ages;  // reference -> when it was last pulled, built or tagged
  std::map<std::string, std::string>
      file_digests;  // path -> SHA-256, of the files that can be read
  WallTime now{};
  // Another directory whose project has this name and is still there, with its containers here.
  std::optional<std::string> other_directory;
  // The definition that a container was made from, by its service and hash, as far as it is
  // remembered: only to say what changed. May be empty.
  std::function<std::shared_ptr<const compose::Service>(const std::string& service,
                                                        const std::string& config_hash)>
      declared_before;
};

// What to look at: everything that carries the project's label, and these objects by name whatever
// their labels.
struct ObserveRequest {
  std::string project;
  std::vector<std::string> images;  // references whose ids are asked for
  std::vector<std::string> networks;
  std::vector<std::string> volumes;
  std::vector<std::string> files;  // whose digests are asked for
  std::string working_dir;         // of the project; empty: known by name only
};

}  // namespace stack::scheduler
