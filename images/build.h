// Building an image from a Dockerfile. Every instruction that changes files becomes one layer,
// cached by (parent, instruction, content); the others only change the configuration. Stages that
// the target does not need are not built. The result has the configuration that `docker build`
// gives. RUN is done by the caller's StepRunner. A failed instruction is an Error with
// file:line:column of the Dockerfile, the instruction, the exit code and its last lines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "images/store.h"

namespace stack::images {

struct BuildSecret {
  std::filesystem::path file;          // either a file of the host
  std::optional<std::string> content;  // or the text itself
};

struct BuildRequest {
  std::filesystem::path context;  // directory; empty: no context
  std::string dockerfile;         // path relative to the context or absolute; empty: Dockerfile
  std::optional<std::string> dockerfile_inline;
  std::map<std::string, std::string> args;
  std::string target;
  std::map<std::string, std::string> labels;
  std::vector<Reference> tags;
  bool no_cache = false;
  bool pull = false;         // ask the resolver for bases even when they are here
  std::string network_mode;  // for RUN: empty or "default", "none", "host", or a network
  std::vector<std::string> extra_hosts;  // "host:address"
  std::int64_t shm_size = 0;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> ulimits;  // soft, hard
  bool privileged = false;
  std::vector<std::string> entitlements;
  std::map<std::string, BuildSecret> secrets;
  std::map<std::string, std::filesystem::path> ssh;  // id: socket of an SSH agent on this host
  std::map<std::string, std::string>
      additional_contexts;  // name: directory, or docker-image://reference
  std::string platform;     // empty: this machine's
};

// One mount of RUN --mount. Sources are opened with openat2 RESOLVE_IN_ROOT below their root.
struct RunMount {
  enum class Type { kBind, kCache, kTmpfs, kSecret, kSsh };
  Type type = Type::kBind;
  std::string target;  // absolute, in the container
  std::vector<std::filesystem::path>
      source_root;          // bind: one directory, or layers, topmost first; cache: its directory
  std::string source_path;  // below source_root
  bool read_only = true;
  std::int64_t size = 0;  // tmpfs
  std::string content;    // secret: the text; ssh: the agent's socket on this host
  unsigned mode = 0;      // secret and cache
  unsigned uid = 0;
  unsigned gid = 0;
  std::string environment;  // secret as variable of this name; target is empty then
  std::string sharing;      // cache: shared, private, locked
};

struct RunStep {
  std::string id;                             // 64 hex digits: names the step while it runs
  std::vector<std::filesystem::path> lowers;  // topmost first; may be empty
  std::filesystem::path upper;  // empty directories on one file system, made by the builder
  std::filesystem::path work;
  std::vector<std::string> args;  // complete: the shell is already in front
  std::vector<std::string> env;
  std::string cwd;   // absolute; exists in the root
  std::string user;  // as in USER, to be resolved in the root; empty is root
  std::string hostname = "buildkitsandbox";
  std::string network_mode;  // "", "default", "none", "host", or a network
  std::vector<std::string> extra_hosts;
  std::int64_t shm_size = 0;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> ulimits;
  bool privileged = false;  // --security=insecure, granted
  std::vector<RunMount> mounts;
  std::string stdin_text;  // unused by RUN today; empty
};

using OutputCallback = std::function<void(std::string_view stream, std::string_view text)>;

class StepRunner {
 public:
  virtual ~StepRunner() = default;
  // Mounts lowers, upper and work as an overlay, runs the command, waits; everything is unmounted
  // when it returns.
  virtual Result<int> run(const RunStep& step, const OutputCallback& output,
                          std::stop_token stop) = 0;
};

struct BuildEvent {
  // kInstruction tells every instruction of the Dockerfile and kState what it has led to, kStep
  // those that make a layer.
  enum class Kind {
    kInstruction,
    kTriggers,  // so many ONBUILD instructions of the base follow: text
    kRunning,   // a process starts: text is the RunStep's id
    kState,
    kStep,
    kCached,
    kOutput,
    kDone,
    kFailed,
    kWarning,
    kTransfer
  };
  Kind kind = Kind::kStep;
  int id = 0;             // of the step, unique in this build; output, done and failed refer to it
  std::string text = {};  // step: "[builder 2/5] RUN make"; instruction: "2/9 : ENV A=b"; output: a
                          // piece of text; failed: the command; warning: the message; state: the id
                          // of the image, if it ended here (of the result, where it does)
  std::string stream = {};  // output: "stdout" or "stderr"
  double seconds = 0;       // done
  int exit_code = 0;        // failed
  bool known = false;       // state: an earlier build has been there
};
using BuildProgress = std::function<void(const BuildEvent&)>;

// Finds or pulls a base image that is not in the store (or always, when `pull` was asked).
using BaseResolver =
    std::function<Result<Image>(const Reference& reference, const std::string& platform)>;

Result<Image> build(Store& store, const BuildRequest& request, StepRunner& runner,
                    const BuildProgress& progress, const BaseResolver& resolve_base,
                    std::stop_token stop);

}  // namespace stack::images
