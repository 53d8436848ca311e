// Containers as running things: start, exec, attach, signal, limits, statistics, exit status,
// removal.
//
// Each container has one parent process, `stack-shim`, which survives us: it owns the pipes or the
// terminal, writes the log and leaves an exit record in the container's run directory. Everything
// else is found again from that directory (adopt), so nothing here is remembered. Functions block
// (milliseconds; destroy up to about a second) and may be called from several threads at once for
// different containers. A container whose shim is killed dies with it (PR_SET_PDEATHSIG); adopt()
// then says kNotFound and read_exit() nothing: report 137.
//
// Errors of start() and exec() have Docker's text as `message`; start_exit_code() turns it into
// Docker's exit code.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "runtime/spec.h"

namespace stack::runtime {

// Mounted inside the container's own mount namespace; the host's mount table stays as it is.
// No lowers: spec.root_path is used as the root file system.
struct RootFs {
  std::vector<std::filesystem::path> lowers;  // topmost first
  std::filesystem::path upper, work;
};

struct LogOptions {
  std::filesystem::path file;
  std::uint64_t max_size = 0;  // 0: no limit
  int max_file = 1;            // the current file counts
  bool discard = false;        // write none
};

struct AttachRequest {
  bool stdin_ = false;
  bool stdout_ = true;
  bool stderr_ = true;
  bool tell_moment = false;  // see moment_of_attachment()
};

// A stream socket that is attached before the program starts, so that not a byte is missed.
// Borrowed; the shim has a copy.
struct InitialClient {
  int fd = -1;
  AttachRequest request;
};

struct StartRequest {
  std::string id;
  Spec spec;
  RootFs rootfs;
  int netns_fd = -1;  // join this network namespace instead of what the spec says; borrowed
  std::filesystem::path run_dir;
  LogOptions log;
  bool open_stdin = false;
  bool stdin_once = false;    // stdin ends when the first client that has it leaves
  bool init = false;          // our own tiny init as pid 1
  std::string user;           // overrides spec.process.user when not empty
  std::string cgroup_parent;  // "/stack" when empty; spec.linux_.cgroups_path wins
  std::vector<InitialClient> clients;
};

struct RunningContainer {
  ProcessId shim;
  ProcessId init;
  Fd shim_pidfd;  // readable when the shim has left: then read_exit()
};

struct ExitRecord {
  int code = 0;  // 128 + signal when killed
  int signal = 0;
  bool oom_killed = false;  // the kernel killed for memory in this container at least once
  WallTime finished;
};

struct ExecRequest {
  std::string id;
  std::filesystem::path run_dir;
  std::vector<std::string> args;
  std::vector<std::string> env;  // put over the container's environment
  std::string cwd;               // empty: the container's
  std::string user;              // empty: the container's
  bool tty = false;
  bool privileged = false;
  bool stdin_ = false;
  bool stdout_ = true;  // a stream that is not wanted is /dev/null
  bool stderr_ = true;
  std::uint16_t rows = 0, cols = 0;  // initial size of the terminal
};

// The exec's own small parent exits with the command's code (128 + n on signal n).
struct RunningExec {
  ProcessId process;   // the command itself
  pid_t shim_pid = 0;  // our child: reap by shim_pidfd
  Fd shim_pidfd;       // use base/process.h reap()
  Fd in, out, err;     // without tty; each only when asked for
  Fd terminal;         // with tty: resize by TIOCSWINSZ
};

struct Stats {
  std::uint64_t cpu_total_ns = 0, cpu_kernel_ns = 0, cpu_user_ns = 0, system_cpu_ns = 0;
  std::vector<std::uint64_t> percpu_ns;
  int online_cpus = 0;
  std::uint64_t throttle_periods = 0, throttled_periods = 0, throttled_ns = 0;
  std::uint64_t memory_usage = 0, memory_max_usage = 0, memory_limit = 0, memory_failcnt = 0;
  std::vector<std::pair<std::string, std::uint64_t>> memory_stats;
  std::uint64_t pids_current = 0, pids_limit = 0;  // limit 0: none
  struct BlockIo {
    std::uint64_t major = 0, minor = 0;
    std::string op;
    std::uint64_t value = 0;
  };
  std::vector<BlockIo> io_service_bytes, io_serviced;
  struct Network {
    std::string name;
    std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
    std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
  };
  std::vector<Network> networks;  // without lo
};

struct RuntimeConfig {
  std::filesystem::path shim_binary;
  std::filesystem::path cache_dir;  // compiled seccomp filters; created when missing
};

class CgroupSystem;

class Runtime {
 public:
  static Result<Runtime> open(RuntimeConfig config);
  Runtime(Runtime&&) noexcept;
  Runtime& operator=(Runtime&&) noexcept;
  ~Runtime();

  // Returns when the user's program is executing. On failure everything is undone but the run
  // directory's existence.
  Result<RunningContainer> start(const StartRequest& request) const;
  Result<RunningExec> exec(const ExecRequest& request) const;

  // kConflict while paused already / not paused. The container must have been started by this
  // runtime's layout.
  Status pause(const std::filesystem::path& run_dir) const;
  Status resume(const std::filesystem::path& run_dir) const;
  Result<bool> paused(const std::filesystem::path& run_dir) const;
  Status update(const std::filesystem::path& run_dir, const Resources& resources) const;
  Result<Stats> stats(const std::filesystem::path& run_dir) const;
  Result<std::vector<pid_t>> processes(const std::filesystem::path& run_dir) const;  // host pids

  // Kills what is left, removes cgroups and the run directory. Idempotent; also for containers that
  // never started.
  Status destroy(const std::string& id, const std::filesystem::path& run_dir) const;

 private:
  struct State;
  explicit Runtime(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Finds a running container again after a restart of the engine. kNotFound when its shim or its
// program is gone.
Result<RunningContainer> adopt(const std::filesystem::path& run_dir);

// nullopt: no record (it runs, never ran, or its shim was killed).
Result<std::optional<ExitRecord>> read_exit(const std::filesystem::path& run_dir);

// A stream socket: output as Docker's 8-byte frames (raw with a terminal); what is written goes to
// stdin; shutting down the write side ends stdin when stdin_once was asked for.
Result<Fd> attach(const std::filesystem::path& run_dir, const AttachRequest& request);
// The moment of an attachment with `tell_moment`, to be read before anything else: the log up to it
// (LogQuery::until) and what the socket gives are the whole output, and have nothing in common.
// Blocking. nullopt: the shim is of an earlier version, or gone.
std::optional<WallTime> moment_of_attachment(int socket);
Status resize(const std::filesystem::path& run_dir, std::uint16_t rows, std::uint16_t cols);
Status signal(const std::filesystem::path& run_dir, int signal_number);  // to the container's init

// Docker's exit code for a failed start: 126, 127 or 128 by the words of the message. `docker run`
// shows 125 for 128.
int start_exit_code(std::string_view message);
// True for the failures that the API answers with status 400 instead of 500.
bool is_start_request_error(std::string_view message);

}  // namespace stack::runtime
