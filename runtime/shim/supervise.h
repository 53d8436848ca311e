// The shim's life beside its container: output to log and clients, input, terminal size, the end.
#pragma once

#include <sys/types.h>

#include "runtime/plan_view.h"

namespace stack::shim {

struct Streams {
  int in = -1;   // write end of stdin, or the terminal's master
  int out = -1;  // read end of stdout, or the terminal's master
  int err = -1;
  bool terminal = false;
};

struct Keeper {
  pid_t init = 0;
  int run_dir = -1;      // O_PATH
  int control = -1;      // datagram socket
  int signals = -1;      // signalfd with SIGCHLD
  int oom = -1;          // memory.oom_control or memory.events
  int unified = -1;      // v2 cgroup, to kill leftovers in
  bool own_pids = true;  // its pid namespace dies with init
  bool stdin_once = false;
};

// Returns when the container has ended and its exit record is on disk.
void supervise(const Keeper& keeper, Streams streams);
void add_client(int fd, std::uint32_t flags);
bool open_log(std::string_view path, std::uint64_t max_size, std::uint32_t max_file);

}  // namespace stack::shim
