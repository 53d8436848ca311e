// The files of a run directory and the talk with a shim; shared by the parts of container.cc.
//   state    container id and cgroup path, written before anything starts
//   process  encoded ProcessPlan: what an exec inherits
//   pids     shim and init with start times, written by the shim before the program runs
//   exit     the exit record, written by the shim before it leaves
//   sock     the shim's control socket
#pragma once

#include <filesystem>
#include <string>

#include "runtime/container.h"
#include "runtime/launch_plan.h"

namespace stack::runtime {

struct RunState {
  std::string id;
  std::string cgroup;
};
Status write_state(const std::filesystem::path& run_dir, const RunState& state);
Result<RunState> read_state(const std::filesystem::path& run_dir);

struct RunPids {
  ProcessId shim, init;
};
Result<RunPids> read_pids_file(
    const std::filesystem::path& run_dir);  // kNotFound when there is none

std::string default_cgroup_path(const StartRequest& request);

// The shim binary as a descriptor of a read-only detached mount: /proc/PID/exe of anything executed
// from it can never be opened for writing (CVE-2019-5736).
Result<Fd> open_shim(const std::filesystem::path& binary);

// Descriptors for the shim and their numbers there.
class ShimFds {
 public:
  int add(int fd) {
    if (fd < 0) return -1;
    fds_.emplace_back(fd, next_);
    return next_++;
  }
  const std::vector<std::pair<int, int>>& list() const { return fds_; }

 private:
  std::vector<std::pair<int, int>> fds_;
  int next_ = 5;  // 3 is the plan, 4 the report socket
};

struct Launched {
  Child child;
  Fd terminal;
  ProcessId process;
};
// Spawns a shim with the plan and waits until the program executes. `prefix` is put before failures
// that are the runtime's.
Result<Launched> launch(int shim_fd, const LaunchPlan& plan, const ShimFds& fds,
                        const std::string& prefix);

// "words" for an errno as Go prints it: lower case.
std::string errno_words(int error);
// Docker's additions to some messages (see start_exit_code).
std::string complete_start_message(std::string message);

}  // namespace stack::runtime
