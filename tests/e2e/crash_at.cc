// Kills a program at its n-th step:
//
//   crash_at STEP PID               of a running process
//   crash_at STEP -- PROGRAM ...    of one that it starts
//   crash_at --runs STEP ...        counts runs of the same call in the same directory as one step
//
// A step is a system call whose effect outlives the process: files and directories, mounts, links
// and rules over netlink, messages to other processes, new processes, signals. Memory, clocks and
// waiting are none. Each is printed as a line "NUMBER CALL WHERE". "ready" comes first, when every
// thread is watched; "killed" follows the step of the death, which comes right after the call, or
// with --runs right before the first of the run (so that the one before is complete); "ended" or,
// after SIGTERM, which lets the process go on without us, "left" is last. STEP 0 kills nothing.
// Children are not watched. All is done from outside, by ptrace(2): the programs under test are the
// ones that are shipped.
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace {

enum class Where { kNone, kPath, kPathAt, kDescriptor };
struct Call {
  const char* name;
  Where where;
};

const std::map<long, Call> kCalls = {
    {SYS_mkdir, {"mkdir", Where::kPath}},
    {SYS_mkdirat, {"mkdirat", Where::kPathAt}},
    {SYS_rmdir, {"rmdir", Where::kPath}},
    {SYS_rename, {"rename", Where::kPath}},
    {SYS_renameat, {"renameat", Where::kPathAt}},
    {SYS_renameat2, {"renameat2", Where::kPathAt}},
    {SYS_unlink, {"unlink", Where::kPath}},
    {SYS_unlinkat, {"unlinkat", Where::kPathAt}},
    {SYS_link, {"link", Where::kPath}},
    {SYS_linkat, {"linkat", Where::kPathAt}},
    {SYS_symlink, {"symlink", Where::kPath}},
    {SYS_symlinkat, {"symlinkat", Where::kPath}},
    {SYS_mknod, {"mknod", Where::kPath}},
    {SYS_mknodat, {"mknodat", Where::kPathAt}},
    {SYS_mount, {"mount", Where::kNone}},
    {SYS_umount2, {"umount2", Where::kPath}},
    {SYS_move_mount, {"move_mount", Where::kNone}},
    {SYS_bind, {"bind", Where::kDescriptor}},
    {SYS_truncate, {"truncate", Where::kPath}},
    {SYS_ftruncate, {"ftruncate", Where::kDescriptor}},
    {SYS_write, {"write", Where::kDescriptor}},
    {SYS_writev, {"writev", Where::kDescriptor}},
    {SYS_pwrite64, {"pwrite64", Where::kDescriptor}},
    {SYS_sendto, {"sendto", Where::kDescriptor}},
    {SYS_sendmsg, {"sendmsg", Where::kDescriptor}},
    {SYS_sendmmsg, {"sendmmsg", Where::kDescriptor}},
    {SYS_clone, {"clone", Where::kNone}},
    {SYS_clone3, {"clone3", Where::kNone}},
    {SYS_vfork, {"vfork", Where::kNone}},
    {SYS_fork, {"fork", Where::kNone}},
    {SYS_kill, {"kill", Where::kNone}},
    {SYS_pidfd_send_signal, {"pidfd_send_signal", Where::kNone}},
};

struct Thread {
  bool counted = false;  // the call under way is a step
  Call call{};
  std::string where;
};

class Tracer {
 public:
  Tracer(pid_t pid, bool own, bool runs, long step)
      : pid_(pid), own_(own), runs_(runs), step_(step) {}
  void seize_all();
  int follow();

 private:
  void seize(pid_t tid);
  void stopped_in_call(pid_t tid);
  void take_step(const Thread& thread);
  bool is_step(pid_t tid, const __ptrace_syscall_info& info, Thread* thread) const;
  std::string text_at(pid_t tid, std::uint64_t address) const;
  bool outlives(int fd, std::string* where) const;

  pid_t pid_;
  bool own_;  // started by us
  bool runs_;
  long step_, count_ = 0;
  bool killed_ = false;
  std::string last_run_;
  std::map<pid_t, Thread> threads_;
  std::set<pid_t> unstopped_;  // seized, and not yet seen to stop
};

// The directory; all control groups are one.
std::string place_of(const std::string& where) {
  for (const char* tree : {"/sys/fs/cgroup", "/proc/sys"}) {
    if (where.rfind(tree, 0) == 0) return tree;
  }
  return std::filesystem::path(where).parent_path().string();
}

volatile sig_atomic_t g_leave = 0;

void Tracer::seize(pid_t tid) {
  if (threads_.count(tid) != 0) return;
  constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
  if (::ptrace(PTRACE_SEIZE, tid, nullptr, kOptions) != 0)
    return;  // it ended, or came with its parent
  ::ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
  threads_[tid];
  unstopped_.insert(tid);
}

void Tracer::seize_all() {
  std::size_t before = 0;
  do {  // until no thread appeared meanwhile
    before = threads_.size();
    std::error_code ec;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task", ec))
      seize(std::atoi(task.path().filename().c_str()));
  } while (threads_.size() != before);
  if (threads_.empty()) {
    std::perror("crash_at: ptrace");
    std::exit(1);
  }
}

std::string Tracer::text_at(pid_t tid, std::uint64_t address) const {
  char text[256] = {};
  const std::string path = "/proc/" + std::to_string(tid) + "/mem";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    (void)!::pread(fd, text, sizeof text - 1, static_cast<off_t>(address));
    ::close(fd);
  }
  return text;
}

// Whether what is written to the descriptor can be seen once the writer is gone.
bool Tracer::outlives(int fd, std::string* where) const {
  std::error_code ec;
  *where = std::filesystem::read_symlink(
               "/proc/" + std::to_string(pid_) + "/fd/" + std::to_string(fd), ec)
               .string();
  if (ec || where->rfind("anon_inode:", 0) == 0 || where->rfind("pipe:", 0) == 0 ||
      *where == "/dev/null")
    return false;
  if (where->rfind("socket:", 0) != 0) return where->find("stackd.log") == std::string::npos;
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  const int copy = static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, fd, 0));
  int domain = 0;
  int type = 0;
  socklen_t length = sizeof domain;
  ::getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  length = sizeof type;
  ::getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &length);
  ::close(copy);
  ::close(pidfd);
  *where = domain == AF_NETLINK ? "netlink" : "socket";
  // What the engine answers its clients is no state; what a command of ours asks for is.
  return domain == AF_NETLINK || (domain == AF_UNIX && (own_ || type != SOCK_STREAM));
}

bool Tracer::is_step(pid_t tid, const __ptrace_syscall_info& info, Thread* thread) const {
  const auto number = static_cast<long>(info.entry.nr);
  const auto* args = info.entry.args;
  if (number == SYS_openat || number == SYS_open) {
    const std::uint64_t flags = number == SYS_openat ? args[2] : args[1];
    if ((flags & O_CREAT) == 0) return false;
    thread->call = {"create", Where::kPath};
    thread->where = text_at(tid, number == SYS_openat ? args[1] : args[0]);
    return thread->where.find("stackd.log") == std::string::npos;
  }
  const auto found = kCalls.find(number);
  if (found == kCalls.end()) return false;
  if (number == SYS_clone && (args[0] & 0x10000U) != 0) return false;  // CLONE_THREAD
  if (number == SYS_clone3) {
    std::uint64_t flags = 0;
    const std::string path = "/proc/" + std::to_string(tid) + "/mem";
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    (void)!::pread(fd, &flags, sizeof flags, static_cast<off_t>(args[0]));
    ::close(fd);
    if ((flags & 0x10000U) != 0) return false;
  }
  thread->call = found->second;
  thread->where.clear();
  switch (found->second.where) {
    case Where::kNone:
      return true;
    case Where::kPath:
      thread->where = text_at(tid, args[0]);
      return true;
    case Where::kPathAt:
      thread->where = text_at(tid, args[1]);
      return true;
    case Where::kDescriptor:
      break;
  }
  return outlives(static_cast<int>(args[0]), &thread->where);
}

void Tracer::stopped_in_call(pid_t tid) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) < 0) return;
  Thread& thread = threads_[tid];
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    thread.counted = is_step(tid, info, &thread);
    if (runs_ && std::exchange(thread.counted, false)) {
      const std::string run = std::string(thread.call.name) + " " + place_of(thread.where);
      if (std::exchange(last_run_, run) != run) take_step(thread);
    }
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && std::exchange(thread.counted, false) &&
             info.exit.is_error == 0) {
    take_step(thread);
  }
}

void Tracer::take_step(const Thread& thread) {
  ++count_;
  std::printf("%ld %s %s\n", count_, thread.call.name, thread.where.c_str());
  if (count_ != step_ || killed_) return;
  ::kill(pid_, SIGKILL);
  std::printf("killed\n");
  killed_ = true;
}

int Tracer::follow() {
  bool told = false;
  while (!threads_.empty()) {
    if (!told && unstopped_.empty()) {
      std::printf("ready\n");
      std::fflush(stdout);
      told = true;
    }
    int status = 0;
    const pid_t tid = ::waitpid(-1, &status, __WALL);
    if (g_leave != 0) {
      std::printf("left\n");
      return 0;  // the kernel detaches what a dead tracer had
    }
    if (tid < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      threads_.erase(tid);
      unstopped_.erase(tid);
      continue;
    }
    if (!WIFSTOPPED(status)) continue;
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    int deliver = 0;
    if (signal == (SIGTRAP | 0x80)) {
      stopped_in_call(tid);
    } else if (event == PTRACE_EVENT_CLONE) {
      unsigned long created = 0;
      if (::ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &created) == 0)
        threads_[static_cast<pid_t>(created)];
    } else if (event == PTRACE_EVENT_STOP) {
      threads_[tid];
    } else {
      deliver = signal;
    }
    ::ptrace(PTRACE_SYSCALL, tid, nullptr, deliver);
    unstopped_.erase(tid);
  }
  std::printf("ended\n");
  return 0;
}

// The program waits for a byte before it is executed, so that its first step is seen too.
pid_t start(char** argv, int* go) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::exit(1);
  const int output = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    (void)!::read(ends[0], &byte, 1);
    ::dup2(output, STDOUT_FILENO);  // our own output is the list of steps
    ::execv(argv[0], argv);
    std::perror(argv[0]);
    ::_exit(127);
  }
  *go = ends[1];
  return child;
}

}  // namespace

int main(int argc, char** argv) {
  const bool runs = argc > 1 && std::strcmp(argv[1], "--runs") == 0;
  if (runs) ++argv, --argc;
  if (argc < 3) {
    std::fprintf(stderr,
                 "usage: crash_at [--runs] STEP PID | crash_at [--runs] STEP -- PROGRAM ...\n");
    return 2;
  }
  struct sigaction action {};
  action.sa_handler = [](int) { g_leave = 1; };
  ::sigaction(SIGTERM, &action, nullptr);  // without SA_RESTART: it ends the wait
  const bool own = std::strcmp(argv[2], "--") == 0;
  int go = -1;
  const pid_t pid = own ? start(argv + 3, &go) : std::atoi(argv[2]);
  Tracer tracer(pid, own, runs, std::atol(argv[1]));
  tracer.seize_all();
  if (own) (void)!::write(go, "g", 1);
  return tracer.follow();
}
