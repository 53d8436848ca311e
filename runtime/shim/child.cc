#include "runtime/shim/child.h"

#include <sched.h>
#include <sys/prctl.h>

namespace stack::shim {

using runtime::wire::PlanView;
using runtime::wire::Reader;

namespace {

void begin(Setup* setup) {
  // A container's parent is its only keeper: without it nobody would log or reap.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // closed to ptrace and /proc/PID/fd until execve
  sigset_t none;
  ::sigemptyset(&none);
  for (int s = 1; s < 32; ++s) {
    if (s != SIGKILL && s != SIGSTOP) ::signal(s, SIG_DFL);
  }
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  setup->stage = Stage::kClone;
}

void join_namespaces(const PlanView& plan, Setup* setup) {
  setup->stage = Stage::kNamespaces;
  if (plan.netns_fd >= 0)
    setup->need(::setns(plan.netns_fd, CLONE_NEWNET) == 0, "joining the network namespace");
  Reader items = plan.joins.items;
  for (std::uint32_t i = 0; i < plan.joins.count; ++i) {
    const auto type = static_cast<int>(items.u32());
    const char* path = items.c_str();
    if (type == CLONE_NEWPID) continue;  // done by the shim: it takes effect for children only
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    Detail text;
    text << "joining the namespace " << path;
    setup->need(fd >= 0 && ::setns(fd, type) == 0, text.view());
    ::close(fd);
  }
  if ((plan.flags & runtime::wire::kNewCgroupNs) != 0) {
    // After joining the cgroup, or the parent's path would be the namespace's root.
    setup->need(::unshare(CLONE_NEWCGROUP) == 0, "making a cgroup namespace");
  }
  if (!plan.hostname.empty()) {
    setup->need(::sethostname(plan.hostname.data(), plan.hostname.size()) == 0, "sethostname");
  }
  if (!plan.domainname.empty()) {
    setup->need(::setdomainname(plan.domainname.data(), plan.domainname.size()) == 0,
                "setdomainname");
  }
}

void new_session(const PlanView& plan) {
  ::setsid();
  // A session keyring of its own. Kernels without keys, and hosts that forbid it, change nothing
  // for the program.
  Text<80> name;
  name << plan.id;
  constexpr int kJoinSessionKeyring = 1;
  (void)::syscall(SYS_keyctl, kJoinSessionKeyring, name.c_str(), 0, 0, 0);
}

void make_workdir(const PlanView& plan, int root, Setup* setup) {
  setup->stage = Stage::kWorkdir;
  if ((plan.flags & runtime::wire::kMakeCwd) == 0 || plan.process.cwd.empty()) return;
  const int fd = open_or_create(root, plan.process.cwd, true);
  if (fd >= 0 && is_directory(fd)) {
    ::close(fd);
    return;
  }
  if (fd >= 0 || errno == ENOTDIR) {
    Detail text;
    text << "Cannot mkdir: " << plan.process.cwd << " is not a directory";
    setup->stage =
        Stage::kUser;  // said by the engine under Docker, hence without the runtime's prefix
    setup->fail(text.view(), 0);
  }
  Detail text;
  text << "mkdir " << plan.process.cwd;
  setup->need(errno == EACCES || errno == ELOOP, text.view());  // chdir decides
}

// The shim answers when it has written down our pid. Without an answer it is dead, and so are we.
void wait_for_shim(Setup* setup) {
  report(setup->socket, Report::kReady, setup->stage, 0, "");
  char answer = 0;
  ssize_t n = 0;
  do {
    n = ::recv(setup->socket, &answer, 1, 0);
  } while (n < 0 && errno == EINTR);
  if (n != 1) ::_exit(127);
}

}  // namespace

void run_container_child(const PlanView& plan, int socket, ChildStdio stdio) {
  Setup setup{socket, Stage::kClone};
  begin(&setup);
  join_v1_cgroups(plan, &setup);
  apply_limits(plan, &setup);
  join_namespaces(plan, &setup);
  new_session(plan);
  ::umask(0);  // modes of nodes and directories are meant as given

  static MountSources sources;
  open_sources(plan, &sources, &setup);
  setup.stage = Stage::kRoot;
  // No mount of ours may appear on the host, whose tree is usually shared: mount_namespaces(7).
  setup.need(::mount("", "/", "", MS_SLAVE | MS_REC, nullptr) == 0, "making / a slave");
  const int root = make_root(plan, &setup);
  make_mounts(plan, sources, root, &setup);
  enter_root(plan, root, &setup);

  resolve_identity(plan, root, &setup);
  ::umask(022);
  make_workdir(plan, root, &setup);
  ::umask(0);
  if ((plan.flags & runtime::wire::kTty) != 0) {
    make_terminal(plan, root, true, identity_uid(), &setup);
  } else {
    set_stdio(stdio, root, identity_uid(), &setup);
  }
  set_sysctls(plan, &setup);
  protect_paths(plan, root, &setup);
  wait_for_shim(&setup);
  become_program(plan, &setup);
}

void run_exec_child(const PlanView& plan, int socket, ChildStdio stdio) {
  Setup setup{socket, Stage::kClone};
  begin(&setup);
  join_v1_cgroups(plan, &setup);
  apply_limits(plan, &setup);
  setup.stage = Stage::kNamespaces;
  // One call for all (Linux 5.8); the pid namespace was joined by the shim, and this process was
  // born in it.
  setup.need(::setns(plan.init_fd, CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                                       CLONE_NEWCGROUP) == 0,
             "joining the container's namespaces");
  new_session(plan);
  const int root = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  setup.need(root >= 0, "opening the container's root");
  resolve_identity(plan, root, &setup);
  if ((plan.flags & runtime::wire::kTty) != 0) {
    make_terminal(plan, root, false, identity_uid(), &setup);
  } else {
    set_stdio(stdio, root, identity_uid(), &setup);
  }
  become_program(plan, &setup);
}

}  // namespace stack::shim
