// Child processes by descriptor, so that a reused pid can never be hit: pidfd_open(2) (Linux 5.3),
// waitid P_PIDFD (5.4).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace stack {

// A process that may not be our child: pid plus start time (field 22 of /proc/PID/stat, clock ticks
// since boot) name it for ever within one boot.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time = 0;

  bool operator==(const ProcessId&) const = default;
};

// Start time of a live process; kNotFound when there is none.
Result<std::uint64_t> process_start_time(pid_t pid);
// Opens a pidfd and checks the start time afterwards, in that order. kNotFound when that process is
// gone.
Result<Fd> open_process(const ProcessId& id);
// True while the process behind a pidfd has not exited.
bool is_alive(int pidfd);
Status send_signal(int pidfd, int signal);

struct ExitStatus {
  int code = 0;    // exit code; 128 + signal when killed
  int signal = 0;  // 0 unless killed by a signal
};

// Waits (blocking) for a child and reaps it. nullopt if `block` is false and it still runs.
Result<std::optional<ExitStatus>> reap(int pidfd, bool block);

struct SpawnOptions {
  std::vector<std::string> argv;
  std::optional<std::vector<std::string>> env;  // "K=V"; default: our own environment
  int exec_fd = -1;  // execute this descriptor (execveat(2) AT_EMPTY_PATH) instead of argv[0]
  std::vector<std::pair<int, int>>
      fds;                  // {ours, its number in the child}; 0-2 not named become /dev/null
  bool new_session = true;  // setsid(2)
};

struct Child {
  pid_t pid = 0;
  Fd pidfd;
};

// vfork-style spawn: cheap whatever our size. No shell, argv[0] is looked up in PATH unless it has
// a slash.
Result<Child> spawn(const SpawnOptions& options);

}  // namespace stack
