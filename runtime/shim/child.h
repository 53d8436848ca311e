// The two processes that become the user's program: a new container's first one, and an exec's.
#pragma once

#include "runtime/plan_view.h"
#include "runtime/shim/report.h"

namespace stack::shim {

struct ChildStdio {
  int in = -1, out = -1, err = -1;  // -1: the container's /dev/null
};

// Neither returns. The caller has cloned the process; it has one thread.
[[noreturn]] void run_container_child(const runtime::wire::PlanView& plan, int socket,
                                      ChildStdio stdio);
[[noreturn]] void run_exec_child(const runtime::wire::PlanView& plan, int socket, ChildStdio stdio);

// root.cc: the overlay or directory attached at the run directory; its descriptor.
int make_root(const runtime::wire::PlanView& plan, Setup* setup);
// mounts.cc. Sources are opened while the host's tree is still visible and its propagation
// unchanged.
inline constexpr std::size_t kMaxMounts = 512;
struct MountSources {
  int fds[kMaxMounts];
};
void open_sources(const runtime::wire::PlanView& plan, MountSources* sources, Setup* setup);
void make_mounts(const runtime::wire::PlanView& plan, const MountSources& sources, int root,
                 Setup* setup);
void make_devices(const runtime::wire::PlanView& plan, int root, Setup* setup);
void enter_root(const runtime::wire::PlanView& plan, int root, Setup* setup);
void protect_paths(const runtime::wire::PlanView& plan, int root, Setup* setup);
void set_sysctls(const runtime::wire::PlanView& plan, Setup* setup);

// paths.cc: inside the root whatever symbolic links say. -1 with errno.
int open_in_root(int root, const char* path, std::uint64_t flags, std::uint64_t extra_resolve = 0);
// The O_PATH descriptor of an existing object, or of a directory (file) made there with the missing
// directories above.
int open_or_create(int root, std::string_view path, bool directory);
bool is_directory(int fd);

// terminal.cc: a new pty of the container's devpts on 0, 1 and 2; the master goes out over the
// socket.
void make_terminal(const runtime::wire::PlanView& plan, int root, bool console, std::uint32_t uid,
                   Setup* setup);
// The container's /dev/null where a stream is -1.
void set_stdio(ChildStdio stdio, int root, std::uint32_t uid, Setup* setup);

// credentials.cc: from the user's name to the end: identities, filter, working directory, execve.
struct Identity;
void resolve_identity(const runtime::wire::PlanView& plan, int root, Setup* setup);
std::uint32_t identity_uid();
void apply_limits(const runtime::wire::PlanView& plan, Setup* setup);
void join_v1_cgroups(const runtime::wire::PlanView& plan, Setup* setup);
[[noreturn]] void become_program(const runtime::wire::PlanView& plan, Setup* setup);

// init.cc: pid 1 for `init: true`: forwards signals, reaps, ends with its child's code.
[[noreturn]] void run_init(pid_t child, bool terminal);

}  // namespace stack::shim
