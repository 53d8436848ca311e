// The options of the commands on a whole project, as docs/api.md names them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compose/project.h"

namespace stack::scheduler {

enum class Verb { kStart, kStop, kRestart, kKill, kPause, kUnpause, kRemove };

enum class PullPolicy { kFromFile, kAlways, kMissing, kNever };

// A declaration that ran well, to go back to when an update with failure_action rollback fails.
struct Fallback {
  std::shared_ptr<const compose::Project> project;
  std::map<std::string, std::string> images;  // service -> image id
  std::string name;                           // "revision 12"
};

struct UpOptions {
  std::vector<std::string> services = {};  // empty: all
  bool build = false;
  bool no_build = false;
  PullPolicy pull = PullPolicy::kFromFile;
  bool no_cache = false;
  std::map<std::string, std::string> build_args = {};
  bool force_recreate = false;
  bool no_recreate = false;
  bool always_recreate_deps = false;
  bool renew_anon_volumes = false;
  bool no_deps = false;
  bool no_start = false;
  bool remove_orphans = false;
  bool all_resources = false;  // networks and volumes that no service uses, too
  bool ignore_orphans = false;
  std::map<std::string, int> scale = {};
  std::optional<int> timeout = {};  // seconds
  bool wait = false;
  std::optional<int> wait_timeout = {};  // seconds; 0 and not set: no limit
  // Volumes whose definition changed: all are made anew (data is lost), these are, or the run ends
  // with the questions and nothing done. Otherwise they stay as they are.
  bool recreate_all_volumes = false;
  std::set<std::string> recreate_volumes = {};  // names
  bool ask = false;
  bool dry_run = false;
  std::string expected =
      {};  // fingerprint of the plan that the user has seen: refused when it is another now
  // An earlier declaration comes back: rollback_config counts in place of update_config, and these
  // are the images that it ran (service -> id), whatever their references mean today.
  bool rollback = false;
  std::optional<Fallback> fallback = {};
  std::map<std::string, std::string> pinned_images = {};
  // Supervision: create and start what is missing, leave whatever exists as it is.
  bool only_missing = false;
  std::map<std::string, std::set<int>> missing_numbers = {};  // which replicas should exist
};

struct DownOptions {
  std::vector<std::string> services = {};
  bool remove_orphans = false;
  std::optional<int> timeout = {};
  bool volumes = false;
  std::string rmi = {};  // "", "local" or "all"
  bool dry_run = false;
};

// start, stop, restart, pause, unpause, kill, rm
struct ServicesOptions {
  std::vector<std::string> services = {};
  std::optional<int> timeout = {};  // stop, restart
  bool no_deps = false;             // start, restart
  std::string signal = "SIGKILL";   // kill
  bool remove_orphans = false;      // kill
  bool stop = false;                // rm: stop first
  bool volumes = false;             // rm: anonymous volumes too
  bool wait = false;                // start
  std::optional<int> wait_timeout = {};
  bool dry_run = false;
};

struct ImageOptions {  // build, pull
  std::vector<std::string> services = {};
  bool no_cache = false;
  bool pull = false;  // build: refresh base images
  std::map<std::string, std::string> build_args = {};
  bool with_dependencies = false;
  bool plain = false;                         // build: no labels of a project on the image
  bool ignore_buildable = false;              // pull
  bool ignore_pull_failures = false;          // pull
  PullPolicy policy = PullPolicy::kFromFile;  // pull
  bool dry_run = false;
};

// The service's definition in the project that is passed already has everything that `run` changes
// in it: command, environment, ports, restart "no", terminal.
struct RunOptions {
  std::string service = {};
  std::string name = {};                           // empty: "<project>-<service>-run-<12 hex>"
  std::string slug = {};                           // 64 hex
  std::map<std::string, std::string> labels = {};  // the user's additional ones
  bool use_aliases = false;
  bool no_deps = false;
  bool build = false;
  bool remove_orphans = false;
  bool ignore_orphans = false;
  PullPolicy pull = PullPolicy::kFromFile;
  bool dry_run = false;
};

}  // namespace stack::scheduler
