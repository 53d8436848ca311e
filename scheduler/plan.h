// A plan: the steps that turn what is observed into what is declared, each with its cause and the
// steps that it comes after. One plan is the whole truth: starting and waiting are steps like any
// other. Ids count from 1 and respect the order: a step comes after steps with smaller ids only.
// Steps without a path between them may run at the same time.
//
// The text form is what unit tests compare and what a dry run prints:
//   #1 create network demo_default because it does not exist
//   #4 await db service_healthy because web depends on it after #3
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "compose/project.h"
#include "scheduler/change.h"
#include "scheduler/progress.h"

namespace stack::scheduler {

using Labels = std::map<std::string, std::string>;

// A container as a plan names it. When an earlier step of the plan creates it, `id` is empty and
// `created_by` says which step; the executor fills `id` in before it hands the operation to the
// engine, which therefore always finds `id`.
struct ContainerRef {
  std::string id;
  std::string name;
  std::string service;
  int number = 0;  // 0: a one-off
  int created_by = 0;

  bool operator==(const ContainerRef&) const = default;
};

// Makes the image of a service present: pulls, builds, or pulls and builds when that fails.
struct EnsureImage {
  enum class Build { kNo, kIfPullFails, kYes };
  std::string service;
  std::string reference;
  bool pull = false;
  Build build = Build::kNo;
  bool no_cache = false;
  bool pull_base = false;  // refresh the images that the Dockerfile starts from
  std::map<std::string, std::string> build_args;
  bool plain = false;  // no labels of the project
};
struct RemoveImage {
  std::string reference;
};
struct CreateNetwork {
  std::string key;  // in Project::networks
  std::string name;
  std::string config_hash;
  Labels labels;  // com.docker.compose.*; the user's are in the project
};
struct RemoveNetwork {
  std::string name;
  std::string id;
};
// Attaches with the aliases and addresses that the project gives the service on that network.
struct ConnectNetwork {
  ContainerRef container;
  std::string key;
  std::string name;
};
struct DisconnectNetwork {
  ContainerRef container;
  std::string name;
};
struct CreateVolume {
  std::string key;  // in Project::volumes
  std::string name;
  std::string config_hash;
  Labels labels;
};
struct RemoveVolume {
  std::string name;
};
// Creates, does not start. The service's definition is project.services[service].
struct CreateContainer {
  std::string service;
  int number = 0;         // 0: a one-off
  std::string name;       // temporary when `replaces` is set: a RenameContainer follows
  std::string image;      // reference
  ContainerRef replaces;  // id empty: nothing
  bool inherit_anonymous_volumes = false;  // from `replaces`: same target, same volume
  bool one_off = false;
  bool use_aliases = true;  // answer to the service's names on its networks
  Labels
      labels;  // all com.docker.compose.* but image, which the engine sets to the id that it used
};
struct RenameContainer {
  ContainerRef container;
  std::string to;
};
struct StartContainer {
  ContainerRef container;
  // It runs without the service's names and published ports, until TakeOver.
  bool standby = false;
};
// The names and published ports of the service go from one container to the other, at once for all
// who come anew; connections that are there stay. The one that gives is then on standby. `from`
// without an id: nobody has them.
struct TakeOver {
  ContainerRef container;
  ContainerRef from;
};
// Waits until nobody is connected to the container any longer, for so many seconds at most.
struct DrainContainer {
  ContainerRef container;
  int seconds = 0;
};
// Sends the container's stop signal, kills after the timeout, and waits for its end. Not running is
// fine.
struct StopContainer {
  ContainerRef container;
  std::optional<int> timeout;  // seconds; not set: the container's own
};
struct KillContainer {
  ContainerRef container;
  std::string signal;
};
struct PauseContainer {
  ContainerRef container;
};
struct UnpauseContainer {
  ContainerRef container;
};
// Absent is fine.
struct RemoveContainer {
  ContainerRef container;
  bool volumes = false;  // its anonymous volumes too
};
struct RunHook {
  enum class When { kPostStart, kPreStop };
  ContainerRef container;
  When when = When::kPostStart;
  compose::Hook hook;
};
// Waits; done by the executor, never given to an engine.
struct AwaitCondition {
  enum class Condition { kStarted, kHealthy, kCompleted, kRunningOrHealthy };
  std::string service;
  Condition condition = Condition::kStarted;
  bool required = true;  // false: a failure is a warning, and what comes after goes on
  bool final = false;    // of --wait: its time limit counts when nothing else is left to do
};
// One replica of a rolling update: ready (`monitor` 0) is healthy, or running for a moment when
// there is no health check; with `monitor` it must stay so for that long. Done by the executor, as
// the next two.
struct AwaitReplica {
  ContainerRef container;
  std::string service;
  Duration monitor{};
  int allowed = 0;  // failures of the service's update that are only warned about
};
// Lets the next replicas go unless more than `allowed` have failed.
struct UpdateGate {
  std::string service;
  int allowed = 0;
};
struct Pause {
  Duration time{};
};
// Joins many steps to one, so that edges stay few; nothing to do.
struct Milestone {
  std::string what;
};

using Operation =
    std::variant<EnsureImage, RemoveImage, CreateNetwork, RemoveNetwork, ConnectNetwork,
                 DisconnectNetwork, CreateVolume, RemoveVolume, CreateContainer, RenameContainer,
                 StartContainer, StopContainer, KillContainer, PauseContainer, UnpauseContainer,
                 RemoveContainer, RunHook, AwaitCondition, Milestone, TakeOver, DrainContainer,
                 AwaitReplica, UpdateGate, Pause>;
// Done by the executor, never given to an engine.
bool is_waiting(const Operation& op);

struct Step {
  int id = 0;
  Operation op;
  std::string cause;
  std::vector<Change> changes = {};  // the cause in parts, when it is a changed definition
  std::vector<int> after;            // these have succeeded
  std::vector<int> settled;  // these are over, well or not: teardown goes on, optional dependencies
                             // do not hold back
  std::string progress_id;   // empty: silent
  std::string working;       // status words; empty: no line
  std::string done;
};

// What only the user can decide.
struct Question {
  std::string volume;  // would be made anew, and its data lost
  std::string text;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<ProgressEvent>
      kept;  // what is already as it should be: "Container proj-web-1" Running
  std::vector<std::string> warnings;
  std::vector<Question> questions;     // to be answered before anything is done
  std::vector<ContainerRef> targets;   // what the command was about, as it is afterwards
  std::set<std::string> services;      // up: those that it is about, and their dependencies
  std::vector<ContainerRef> replicas;  // up: every replica that it leaves of these services
  std::set<std::string> rolls_back;    // services whose failed update is to be taken back

  bool empty() const { return steps.empty(); }
};

std::string to_string(const Operation& op);  // "create network demo_default"
std::string to_string(const Step& step);     // one line without its end
std::string to_text(const Plan& plan);       // warnings as "! text", then steps, a line each
std::string_view to_string(AwaitCondition::Condition condition);

// Steps that change something: not those that only wait.
int count_changes(const Plan& plan);

// The container that an operation works on, or nullptr.
ContainerRef* container_of(Operation& op);
const ContainerRef* container_of(const Operation& op);

}  // namespace stack::scheduler
