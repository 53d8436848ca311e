#include "base/process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/files.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace stack {

namespace {

int pidfd_open_call(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = ::getenv("PATH");
  std::string_view rest =
      path != nullptr ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return name;
}

struct ChildPlan {
  const char* path;
  int exec_fd;
  char* const* argv;
  char* const* envp;
  const std::pair<int, int>* moves;  // first pass to high numbers is done by the parent
  std::size_t move_count;
  bool new_session;
  int error;
};

// Runs in the child on the parent's memory until exec, vfork(2): only system calls, nothing that
// allocates or locks.
[[noreturn]] void run_child(ChildPlan* plan) {
  sigset_t none;
  ::sigemptyset(&none);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int s = 1; s < 32; ++s) {
    if (s != SIGKILL && s != SIGSTOP) ::sigaction(s, &standard, nullptr);
  }
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (plan->new_session) ::setsid();
  for (std::size_t i = 0; i < plan->move_count; ++i) {
    if (::dup2(plan->moves[i].first, plan->moves[i].second) < 0) {
      plan->error = errno;
      ::_exit(127);
    }
  }
  if (plan->exec_fd >= 0) {
    ::syscall(SYS_execveat, plan->exec_fd, "", plan->argv, plan->envp, AT_EMPTY_PATH);
  } else {
    ::execve(plan->path, plan->argv, plan->envp);
  }
  plan->error = errno;
  ::_exit(127);
}

}  // namespace

Result<std::uint64_t> process_start_time(pid_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!text.ok()) return Error::not_found("process " + std::to_string(pid) + " does not exist");
  // The command name in parentheses may contain anything, so count fields from the last ')':
  // proc_pid_stat(5).
  const std::size_t paren = text->rfind(')');
  if (paren == std::string::npos)
    return Error::not_found("process " + std::to_string(pid) + " has no status");
  std::size_t at = paren;
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = text->find(' ', at + 1);
  if (at == std::string::npos)
    return Error::not_found("process " + std::to_string(pid) + " has no start time");
  return std::strtoull(text->c_str() + at + 1, nullptr, 10);
}

Result<Fd> open_process(const ProcessId& id) {
  Fd fd(pidfd_open_call(id.pid));
  if (!fd) return Error::not_found("process " + std::to_string(id.pid) + " does not exist");
  const auto start = process_start_time(id.pid);
  if (!start.ok() || *start != id.start_time || !is_alive(fd.get())) {
    return Error::not_found("process " + std::to_string(id.pid) + " is gone");
  }
  return fd;
}

bool is_alive(int pidfd) {
  pollfd p{pidfd, POLLIN, 0};
  return ::poll(&p, 1, 0) == 0;
}

Status send_signal(int pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) return ok_status();
  if (errno == ESRCH) return Error::not_found("the process has exited");
  return Error::os(errno, "sending signal " + std::to_string(signal));
}

Result<std::optional<ExitStatus>> reap(int pidfd, bool block) {
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
                  WEXITED | (block ? 0 : WNOHANG)) != 0) {
    if (errno != EINTR) return Error::os(errno, "waitid");
  }
  if (info.si_pid == 0) return std::optional<ExitStatus>();
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.code = 128 + info.si_status;
  }
  return std::optional<ExitStatus>(status);
}

Result<Child> spawn(const SpawnOptions& options) {
  std::vector<char*> argv;
  for (const auto& arg : options.argv) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> env;
  if (options.env) {
    for (const auto& item : *options.env) env.push_back(const_cast<char*>(item.c_str()));
    env.push_back(nullptr);
  }
  const std::string path = options.exec_fd >= 0 ? std::string() : find_program(options.argv.at(0));

  // Every source goes to a number above all targets first, so that no move overwrites a later
  // source.
  int highest = 10;
  for (const auto& [ours, theirs] : options.fds)
    highest = std::max({highest, ours, theirs, options.exec_fd});
  std::vector<Fd> held;
  std::vector<std::pair<int, int>> moves;
  Fd null = TRY(open_fd("/dev/null", O_RDWR));
  auto add_move = [&](int ours, int theirs) -> Status {
    const int copy = ::fcntl(ours, F_DUPFD_CLOEXEC, highest + 1);
    if (copy < 0) return Error::os(errno, "duplicating a descriptor for a child");
    held.emplace_back(copy);
    moves.emplace_back(copy, theirs);
    return ok_status();
  };
  for (int standard = 0; standard < 3; ++standard) {
    const bool named = std::any_of(options.fds.begin(), options.fds.end(),
                                   [&](const auto& f) { return f.second == standard; });
    if (!named) TRY(add_move(null.get(), standard));
  }
  for (const auto& [ours, theirs] : options.fds) TRY(add_move(ours, theirs));
  // The program's own descriptor must not be in the way of the targets either.
  Fd program;
  if (options.exec_fd >= 0) {
    program = Fd(::fcntl(options.exec_fd, F_DUPFD_CLOEXEC, highest + 1));
    if (!program) return Error::os(errno, "duplicating the program's descriptor");
  }

  ChildPlan plan{
      path.c_str(), program.get(), argv.data(),         options.env ? env.data() : environ,
      moves.data(), moves.size(),  options.new_session, 0};
  // Signals stay blocked across the shared-memory window: a handler of ours must not run in the
  // child.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int pidfd = -1;
  // A separate stack: with CLONE_VM the child would otherwise clobber the frames we return through.
  alignas(16) static thread_local char stack[64 * 1024];
  const pid_t pid =
      ::clone([](void* arg) -> int { run_child(static_cast<ChildPlan*>(arg)); },
              stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  const int clone_errno = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return Error::os(clone_errno, "clone");
  Child child{pid, Fd(pidfd)};
  if (plan.error != 0) {
    (void)reap(child.pidfd.get(), true);
    return Error::os(plan.error, "executing " + options.argv.at(0));
  }
  return child;
}

}  // namespace stack
