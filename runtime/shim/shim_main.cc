// stack-shim: the parent of one container, or of one exec. Started by the engine with the launch
// plan on descriptor 3 and the report socket on 4. It survives the engine; see runtime/container.h
// for what it owns.
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "runtime/plan_view.h"
#include "runtime/shim/child.h"
#include "runtime/shim/supervise.h"

namespace stack::shim {

namespace {

using runtime::wire::PlanView;
using runtime::wire::Reader;

constexpr int kPlanFd = 3;
constexpr int kReportFd = 4;

struct Pair {
  int read = -1, write = -1;
};

Pair make_pipe(const Setup& setup) {
  int fds[2];
  setup.need(::pipe2(fds, O_CLOEXEC) == 0, "making a pipe");
  return {fds[0], fds[1]};
}

// Field 22 of /proc/PID/stat, counted from the last ')'.
std::uint64_t start_time(pid_t pid) {
  Text<64> path;
  path << "/proc/" << pid << "/stat";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char text[1024];
  const ssize_t n = fd < 0 ? -1 : ::read(fd, text, sizeof text);
  if (fd >= 0) ::close(fd);
  if (n <= 0) return 0;
  const std::string_view all(text, static_cast<std::size_t>(n));
  std::size_t at = all.rfind(')');
  for (int field = 2; field < 22 && at != std::string_view::npos; ++field)
    at = all.find(' ', at + 1);
  std::uint64_t value = 0;
  for (++at; at < all.size() && all[at] >= '0' && all[at] <= '9'; ++at) {
    value = value * 10 + static_cast<std::uint64_t>(all[at] - '0');
  }
  return value;
}

void join_pid_namespace(const PlanView& plan, const Setup& setup) {
  if (plan.init_fd >= 0) {
    setup.need(::setns(plan.init_fd, CLONE_NEWPID) == 0, "joining the container's pid namespace");
  }
  Reader items = plan.joins.items;
  for (std::uint32_t i = 0; i < plan.joins.count; ++i) {
    const auto type = static_cast<int>(items.u32());
    const char* path = items.c_str();
    if (type != CLONE_NEWPID) continue;
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    Detail text;
    text << "joining the namespace " << path;
    setup.need(fd >= 0 && ::setns(fd, CLONE_NEWPID) == 0, text.view());
    ::close(fd);
  }
}

int control_socket(int run_dir, const Setup& setup) {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // Through the directory's descriptor, since its path may be longer than an address.
  Text<108> path;
  path << "/proc/self/fd/" << run_dir << "/sock";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  (void)::unlinkat(run_dir, "sock", 0);
  setup.need(fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
             "making the control socket");
  return fd;
}

void write_pids(int run_dir, pid_t init, std::uint64_t init_start, const Setup& setup) {
  Text<256> text;
  text << "shim " << ::getpid() << " " << start_time(::getpid()) << "\ninit " << init << " "
       << init_start << "\n";
  const int fd = ::openat(run_dir, "pids.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  setup.need(fd >= 0 && write_text(fd, text.view()) && ::close(fd) == 0 &&
                 ::renameat(run_dir, "pids.tmp", run_dir, "pids") == 0,
             "recording the pids");
}

struct Started {
  bool failed = false;
  int terminal = -1;
};

// Reads what the child reports until it executes (end of file) or fails. A failure is passed on as
// it came.
Started watch_setup(int socket, int run_dir, pid_t child, std::uint64_t child_start, Setup* setup) {
  Started result;
  for (;;) {
    char message[runtime::wire::kMaxReport];
    int fd = -1;
    const ssize_t n = receive_message(socket, message, sizeof message, &fd);
    if (n <= 0) return result;
    ReportHead head;
    std::memcpy(&head, message, sizeof head);
    if (head.kind == Report::kFailed) {
      send_message(setup->socket, message, static_cast<std::size_t>(n));
      result.failed = true;
    } else if (head.kind == Report::kTerminal) {
      result.terminal = fd;
    } else if (head.kind == Report::kReady) {
      write_pids(run_dir, child, child_start, *setup);
      const char go = 1;
      (void)::send(socket, &go, 1, MSG_NOSIGNAL);
    }
  }
}

int run_container(const PlanView& plan, void* plan_memory, std::size_t plan_size, Setup* setup) {
  const bool tty = (plan.flags & runtime::wire::kTty) != 0;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  Keeper keeper;
  keeper.run_dir = ::open(plan.run_dir.data(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  setup->need(keeper.run_dir >= 0, "opening the run directory");
  keeper.control = control_socket(keeper.run_dir, *setup);
  const bool discard = (plan.flags & runtime::wire::kDiscardLog) != 0;
  Detail log_text;
  log_text << "opening the log " << plan.log_file;
  setup->need(
      open_log(discard ? std::string_view() : plan.log_file, plan.log_max_size, plan.log_max_file),
      log_text.view());
  Reader clients = plan.clients.items;
  for (std::uint32_t i = 0; i < plan.clients.count; ++i) {
    const auto fd = static_cast<int>(clients.u32());
    add_client(fd, clients.u32());
  }

  Streams streams;
  ChildStdio stdio;
  if (!tty) {
    const Pair out = make_pipe(*setup);
    const Pair err = make_pipe(*setup);
    // Larger pipes let a loud program and its log run side by side. Refused when the user's quota
    // of pipes is used up.
    (void)::fcntl(out.read, F_SETPIPE_SZ, 256 << 10);
    stdio.out = out.write;
    stdio.err = err.write;
    streams.out = out.read;
    streams.err = err.read;
    if ((plan.flags & runtime::wire::kOpenStdin) != 0) {
      const Pair in = make_pipe(*setup);
      stdio.in = in.read;
      streams.in = in.write;
    }
  }
  join_pid_namespace(plan, *setup);
  int sockets[2];
  setup->need(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0,
              "making the setup socket");
  pid_t child = fork_into(plan.clone_flags, plan.unified_fd);
  if (child < 0 && (errno == EACCES || errno == EBUSY || errno == EOPNOTSUPP || errno == EINVAL) &&
      plan.tasks.count > 0) {
    child = fork_into(plan.clone_flags, -1);
  }
  setup->need(child >= 0, "making the container's process");
  if (child == 0) {
    ::close(setup->socket);
    ::close(sockets[0]);
    run_container_child(plan, sockets[1], stdio);
  }
  ::close(sockets[1]);
  for (const int fd : {stdio.in, stdio.out, stdio.err, plan.netns_fd}) {
    if (fd >= 0) ::close(fd);
  }
  Reader tasks = plan.tasks.items;
  for (std::uint32_t i = 0; i < plan.tasks.count; ++i) ::close(static_cast<int>(tasks.u32()));

  const std::uint64_t child_start = start_time(child);
  const Started started = watch_setup(sockets[0], keeper.run_dir, child, child_start, setup);
  ::close(sockets[0]);
  if (started.failed) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return 1;
  }
  if (tty) {
    setup->need(started.terminal >= 0, "the container's terminal did not arrive");
    streams.terminal = true;
    streams.in = streams.out = started.terminal;
  }
  for (const int fd : {streams.in, streams.out}) {
    if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  keeper.init = child;
  keeper.oom = plan.oom_fd;
  keeper.unified = plan.unified_fd;
  keeper.own_pids = (plan.flags & runtime::wire::kNewPidNs) != 0;
  keeper.stdin_once = (plan.flags & runtime::wire::kStdinOnce) != 0;
  report(setup->socket, Report::kStarted, Stage::kExec, 0, "", -1, child, child_start);
  ::close(setup->socket);
  ::munmap(plan_memory, plan_size);
  sigset_t child_signal;
  ::sigemptyset(&child_signal);
  ::sigaddset(&child_signal, SIGCHLD);
  keeper.signals = ::signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
  supervise(keeper, streams);
  return 0;
}

// An exec has no log: its streams belong to the engine. This process only waits and ends as the
// command did.
int run_exec(const PlanView& plan, Setup* setup) {
  join_pid_namespace(plan, *setup);
  int sockets[2];
  setup->need(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0,
              "making the setup socket");
  pid_t child = fork_into(0, plan.unified_fd);
  if (child < 0 && plan.tasks.count > 0) child = fork_into(0, -1);
  setup->need(child >= 0, "making the process");
  if (child == 0) {
    ::close(setup->socket);
    ::close(sockets[0]);
    run_exec_child(plan, sockets[1], {plan.in_fd, plan.out_fd, plan.err_fd});
  }
  ::close(sockets[1]);
  const std::uint64_t child_start = start_time(child);
  int terminal = -1;
  for (;;) {
    char message[runtime::wire::kMaxReport];
    int fd = -1;
    const ssize_t n = receive_message(sockets[0], message, sizeof message, &fd);
    if (n <= 0) break;
    ReportHead head;
    std::memcpy(&head, message, sizeof head);
    if (head.kind == Report::kTerminal) {
      terminal = fd;
      continue;
    }
    send_message(setup->socket, message, static_cast<std::size_t>(n));
    int status = 0;
    (void)::waitpid(child, &status, 0);
    return 127;
  }
  report(setup->socket, Report::kStarted, Stage::kExec, 0, "", terminal, child, child_start);
  // Nothing is kept open: the streams end when the command's own copies do.
  ::syscall(SYS_close_range, 0U, ~0U, 0U);
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED) != 0) {
      if (errno == EINTR) continue;
      return 127;
    }
    if (info.si_code == CLD_EXITED) return info.si_status;
    if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) return 128 + info.si_status;
    ::ptrace(PTRACE_DETACH, info.si_pid, nullptr, nullptr);
    ::kill(info.si_pid, SIGCONT);
  }
}

int run() {
  Setup setup{kReportFd, Stage::kShim};
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  for (const int fd : {kPlanFd, kReportFd})
    setup.need(::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0, "stack-shim is started by stackd");
  struct stat st {};
  setup.need(::fstat(kPlanFd, &st) == 0 && st.st_size > 0, "reading the launch plan");
  const auto size = static_cast<std::size_t>(st.st_size);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, kPlanFd, 0);
  setup.need(memory != MAP_FAILED, "reading the launch plan");
  ::close(kPlanFd);
  PlanView plan;
  if (!runtime::wire::read_plan(static_cast<const char*>(memory), size, &plan))
    setup.fail("the launch plan is damaged", 0);

  // Nothing but our children's ends interrupts us. The child sets its own signals back.
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  const bool exec = (plan.flags & runtime::wire::kExec) != 0;
  Text<16> name;
  name << (exec ? "stack-exec" : "stack-shim");
  ::prctl(PR_SET_NAME, name.c_str(), 0, 0, 0);
  // The descriptors that the plan names came without CLOEXEC.
  ::syscall(SYS_close_range, 5U, ~0U, 1U << 2U /* CLOSE_RANGE_CLOEXEC */);
  return exec ? run_exec(plan, &setup) : run_container(plan, memory, size, &setup);
}

}  // namespace

}  // namespace stack::shim

int main() { return stack::shim::run(); }
