// From root in the container to the user's program: who it runs as, its limits, its filter, where
// it starts, execve.
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "runtime/shim/child.h"
#include "runtime/user.h"

namespace stack::shim {

using runtime::ResolvedUser;
using runtime::UserError;
using runtime::wire::PlanView;
using runtime::wire::ProcessView;
using runtime::wire::Reader;

namespace {

constexpr std::size_t kMaxStrings = 8192;

// Only the child, a short-lived copy of the shim, touches these, so they cost the shim nothing.
ResolvedUser g_user;
bool g_named = false;
char g_home[1024];
char g_program[4096];
const char* g_args[kMaxStrings];
const char* g_env[kMaxStrings];

std::string_view map_file(int root, const char* path) {
  const int fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK);
  if (fd < 0) return {};
  struct stat st {};
  std::string_view text;
  if (::fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < (64 << 20)) {
    void* data =
        ::mmap(nullptr, static_cast<std::size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (data != MAP_FAILED)
      text = {static_cast<const char*>(data), static_cast<std::size_t>(st.st_size)};
  }
  ::close(fd);
  return text;
}

void explain_user(UserError error, std::string_view subject, const Setup& setup) {
  Detail text;
  switch (error) {
    case UserError::kNone:
      return;
    case UserError::kNoUser:
      text << "unable to find user " << subject << ": no matching entries in passwd file";
      break;
    case UserError::kNoGroup:
      text << "unable to find group " << subject << ": no matching entries in group file";
      break;
    case UserError::kRange:
      text << "uids and gids must be in range 0-2147483647";
      break;
    case UserError::kTooManyGroups:
      text << "the user is in more than " << runtime::kMaxGroups << " groups";
      break;
  }
  setup.fail(text.view(), 0);
}

std::string_view variable(std::string_view name, const ProcessView& process) {
  std::string_view found;
  bool any = false;
  Reader items = process.env.items;
  for (std::uint32_t i = 0; i < process.env.count; ++i) {
    const std::string_view item = items.str();
    if (item.size() > name.size() && item.substr(0, name.size()) == name &&
        item[name.size()] == '=') {
      found = item.substr(name.size() + 1);
      any = true;
    }
  }
  return any ? found : std::string_view();
}

bool has_variable(std::string_view name, const ProcessView& process) {
  return variable(name, process).data() != nullptr;
}

void fill_strings(runtime::wire::List list, const char** out, const char* extra,
                  const Setup& setup) {
  if (list.count + 2 > kMaxStrings)
    setup.fail("too many arguments or environment variables", E2BIG);
  std::uint32_t i = 0;
  for (; i < list.count; ++i) out[i] = list.items.c_str();
  if (extra != nullptr) out[i++] = extra;
  out[i] = nullptr;
}

void load_filter(const ProcessView& process, Setup* setup) {
  if (process.seccomp.empty()) return;
  setup->stage = Stage::kSeccomp;
  static sock_filter program[BPF_MAXINSNS];
  if (process.seccomp.size() > sizeof program) setup->fail("the seccomp filter is too long", 0);
  std::memcpy(program, process.seccomp.data(), process.seccomp.size());
  const sock_fprog filter{static_cast<unsigned short>(process.seccomp.size() / sizeof(sock_filter)),
                          program};
  setup->need(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, process.seccomp_flags, &filter) == 0,
              "loading the seccomp filter");
}

void set_identity(const ProcessView& process, Setup* setup) {
  setup->stage = Stage::kCredentials;
  const bool powerless = g_named && g_user.uid != 0;  // as execve(2) would leave such a user
  const std::uint64_t effective = powerless ? 0 : process.effective;
  const std::uint64_t permitted = powerless ? 0 : process.permitted;
  for (int cap = 0; cap < 64; ++cap) {
    if ((process.bounding >> cap & 1U) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
      setup->need(errno == EINVAL, "dropping a capability from the bounding set");
      break;  // beyond the last one that the kernel knows
    }
  }
  setup->need(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "keeping capabilities");
  setup->need(::syscall(SYS_setgroups, g_user.group_count, g_user.groups.data()) == 0, "setgroups");
  setup->need(::syscall(SYS_setresgid, g_user.gid, g_user.gid, g_user.gid) == 0,
              "setting the group");
  setup->need(::syscall(SYS_setresuid, g_user.uid, g_user.uid, g_user.uid) == 0,
              "setting the user");
  setup->need(::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0, "keeping capabilities");
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2];
  for (unsigned i = 0; i < 2; ++i) {
    data[i].effective = static_cast<std::uint32_t>(effective >> (32U * i));
    data[i].permitted = static_cast<std::uint32_t>(permitted >> (32U * i));
    data[i].inheritable = static_cast<std::uint32_t>(process.inheritable >> (32U * i));
  }
  setup->need(::syscall(SYS_capset, &head, data) == 0, "setting capabilities");
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (unsigned cap = 0; cap < 64 && !powerless; ++cap) {
    if ((process.ambient >> cap & 1U) != 0)
      (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  }
  // The change of ids has reset both.
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

// CVE-2024-21626: a working directory through a leaked descriptor would be outside of the root.
void check_inside(const Setup& setup) {
  static char path[4096];
  const long n = ::syscall(SYS_getcwd, path, sizeof path);
  if (n < 0 || path[0] != '/')
    setup.fail("current working directory is outside of container mount namespace root", 0);
}

// Docker's rules and texts for the program's name.
void find_program(const char* name, const ProcessView& process, Setup* setup) {
  setup->stage = Stage::kExec;
  Detail text;
  text << "exec: \"" << name << "\": ";
  struct stat st {};
  if (std::strchr(name, '/') != nullptr) {
    if (::stat(name, &st) != 0) {
      const int error = errno;
      text << "stat " << name;
      setup->fail(text.view(), error);
    }
    if (S_ISDIR(st.st_mode)) {
      text << "is a directory";
      setup->fail(text.view(), 0);
    }
    if ((st.st_mode & 0111U) == 0 || ::faccessat(AT_FDCWD, name, X_OK, AT_EACCESS) != 0) {
      text << "permission denied";
      setup->fail(text.view(), 0);
    }
    Text<4096> path;
    path << name;
    std::memcpy(g_program, path.c_str(), path.size() + 1);
    return;
  }
  std::string_view search = variable("PATH", process);
  while (*name != '\0' && !search.empty()) {
    const std::size_t colon =
        search.find(':') == std::string_view::npos ? search.size() : search.find(':');
    Text<4096> path;
    path << (colon == 0 ? std::string_view(".") : search.substr(0, colon)) << "/" << name;
    search.remove_prefix(colon < search.size() ? colon + 1 : colon);
    if (::stat(path.c_str(), &st) == 0 && !S_ISDIR(st.st_mode) && (st.st_mode & 0111U) != 0 &&
        ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) {
      std::memcpy(g_program, path.c_str(), path.size() + 1);
      return;
    }
  }
  text << "executable file not found in $PATH";
  setup->fail(text.view(), 0);
}

}  // namespace

std::uint32_t identity_uid() { return g_user.uid; }

void resolve_identity(const PlanView& plan, int root, Setup* setup) {
  setup->stage = Stage::kUser;
  const ProcessView& process = plan.process;
  const std::string_view passwd = map_file(root, "/etc/passwd");
  const std::string_view group = map_file(root, "/etc/group");
  g_named = (process.flags & runtime::wire::kNamedUser) != 0;
  Text<24> number;
  number << process.uid;
  std::string_view subject;
  const UserError error = runtime::resolve_user(g_named ? process.user : number.view(), passwd,
                                                group, &g_user, &subject);
  if (g_named) {
    explain_user(error, subject, *setup);
  } else {  // plain numbers are taken as they are; only the home directory is looked up
    g_user.uid = process.uid;
    g_user.gid = process.gid;
    g_user.group_count = 0;
  }
  Reader gids = process.gids.items;
  for (std::uint32_t i = 0; i < process.gids.count && g_user.group_count < runtime::kMaxGroups;
       ++i) {
    g_user.groups[g_user.group_count++] = gids.u32();
  }
  Reader names = process.group_names.items;
  for (std::uint32_t i = 0; i < process.group_names.count; ++i) {
    const std::string_view name = names.str();
    explain_user(runtime::add_group(name, group, &g_user), name, *setup);
  }
  Text<sizeof g_home> home;
  home << "HOME=" << g_user.home;
  std::memcpy(g_home, home.c_str(), home.size() + 1);
}

void join_v1_cgroups(const PlanView& plan, Setup* setup) {
  setup->stage = Stage::kCgroup;
  // "0" in `tasks` means the writing thread; alone in its process it needs no lock of the thread
  // group, unlike cgroup.procs.
  Reader fds = plan.tasks.items;
  for (std::uint32_t i = 0; i < plan.tasks.count; ++i) {
    const int fd = static_cast<int>(fds.u32());
    setup->need(write_text(fd, "0"), "joining a cgroup");
    ::close(fd);
  }
}

void apply_limits(const PlanView& plan, Setup* setup) {
  setup->stage = Stage::kLimits;
  const ProcessView& process = plan.process;
  if ((process.flags & runtime::wire::kOomScore) != 0) {
    Text<16> score;
    score << process.oom_score_adj;
    const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    setup->need(fd >= 0 && write_text(fd, score.view()), "setting oom_score_adj");
    ::close(fd);
  }
  Reader limits = process.rlimits.items;
  for (std::uint32_t i = 0; i < process.rlimits.count; ++i) {
    const auto resource = static_cast<int>(limits.u32());
    rlimit limit{};
    limit.rlim_cur = limits.u64();
    limit.rlim_max = limits.u64();
    Detail text;
    text << "error setting rlimit type " << resource;
    setup->need(::syscall(SYS_prlimit64, 0, resource, &limit, nullptr) == 0, text.view());
  }
  // Our own affinity must not limit the program; its cpuset does.
  unsigned long all[16];
  std::memset(all, 0xff, sizeof all);
  (void)::syscall(SYS_sched_setaffinity, 0, sizeof all, all);
}

void become_program(const PlanView& plan, Setup* setup) {
  const ProcessView& process = plan.process;
  const bool no_new_privileges = (process.flags & runtime::wire::kNoNewPrivileges) != 0;
  if (process.args.count == 0) setup->fail("exec: no command", 0);
  fill_strings(process.args, g_args, nullptr, *setup);
  fill_strings(process.env, g_env, has_variable("HOME", process) ? nullptr : g_home, *setup);
  ::umask(process.umask);

  // Nothing of ours stays open but the socket, which is moved out of the way of the range.
  if (setup->socket != 3) {
    setup->need(::dup3(setup->socket, 3, O_CLOEXEC) == 3, "dup3");
    setup->socket = 3;
  }
  setup->need(::syscall(SYS_close_range, 4U, ~0U, 0U) == 0, "closing descriptors");

  // The directory may be closed to root (a network file system) or to the user; either way in
  // counts.
  setup->stage = Stage::kWorkdir;
  const char* cwd = process.cwd.empty() ? "/" : process.cwd.data();
  Detail chdir_text;
  chdir_text << "chdir to cwd (\"" << cwd << "\") set in config.json failed";
  bool inside = ::chdir(cwd) == 0;
  setup->need(inside || errno == EACCES, chdir_text.view());

  if (no_new_privileges) {
    setup->need(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  } else {
    load_filter(process, setup);  // needs CAP_SYS_ADMIN, which is about to go
  }
  set_identity(process, setup);
  setup->stage = Stage::kWorkdir;
  if (!inside) {
    inside = ::chdir(cwd) == 0;
    setup->need(inside, chdir_text.view());
  }
  check_inside(*setup);
  find_program(g_args[0], process, setup);
  if (no_new_privileges) load_filter(process, setup);

  if ((plan.flags & runtime::wire::kInit) != 0) {
    const pid_t child = ::fork();
    if (child < 0) setup->fail("forking below init");
    if (child > 0) {
      ::close(setup->socket);
      run_init(child, (plan.flags & runtime::wire::kTty) != 0);
    }
    ::setpgid(0, 0);
    if ((plan.flags & runtime::wire::kTty) != 0) {
      // In the foreground of the terminal; SIGTTOU would stop us, so it is ignored for the call.
      ::signal(SIGTTOU, SIG_IGN);
      ::tcsetpgrp(0, ::getpid());
      ::signal(SIGTTOU, SIG_DFL);
    }
  }
  ::execve(g_program, const_cast<char* const*>(g_args), const_cast<char* const*>(g_env));
  // As far as the start is concerned the program has begun: the reason is in its own log (exec
  // format error, a missing interpreter).
  const int error = errno;
  Detail text;
  text << "exec " << g_program << ": "
       << (error == ENOEXEC  ? "exec format error"
           : error == ENOENT ? "no such file or directory"
                             : std::strerror(error))
       << "\n";
  (void)write_text(2, text.view());
  ::_exit(255);
}

}  // namespace stack::shim
