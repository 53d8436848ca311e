// Docker's default policy as data: plain allowed names, names that a capability opens, and the
// rules with arguments.
#include <sys/prctl.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "runtime/seccomp.h"

namespace stack::runtime {

namespace {

// Grouped by subject. Names that an architecture does not have are skipped when the filter is made.
constexpr std::string_view kAllowed[] = {
    // Identity
    "capget capset getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getresgid "
    "getresuid getsid gettid",
    "getuid setfsgid setfsuid setgid setgroups setpgid setregid setresgid setresuid setreuid "
    "setsid setuid",
    // Time
    "adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer "
    "gettimeofday nanosleep setitimer",
    "time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create "
    "timerfd_gettime",
    "timerfd_settime times",
    // Signals
    "kill pause pidfd_open pidfd_send_signal restart_syscall rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo",
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4 "
    "tgkill tkill",
    // Memory
    "brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock "
    "mlock2 mlockall mmap",
    "mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect "
    "process_mrelease",
    "remap_file_pages",
    // Processes and scheduling
    "execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake "
    "getcpu getpriority",
    "getrandom getrlimit get_robust_list getrusage get_thread_area ioprio_get ioprio_set "
    "landlock_add_rule",
    "landlock_create_ruleset landlock_restrict_self prctl prlimit64 rseq sched_getaffinity "
    "sched_getattr sched_getparam",
    "sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval "
    "sched_setaffinity",
    "sched_setattr sched_setparam sched_setscheduler sched_yield seccomp setpriority setrlimit "
    "set_robust_list",
    "set_thread_area set_tid_address sysinfo umask uname uretprobe vfork wait4 waitid",
    // Sockets (socket and socketcall have rules of their own)
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg "
    "recvmsg sendfile sendmmsg",
    "sendmsg sendto setsockopt shutdown socketpair",
    // System V and POSIX IPC
    "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv "
    "msgsnd semctl semget",
    "semop semtimedop shmat shmctl shmdt shmget",
    // Events and asynchronous I/O
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
    "epoll_wait_old eventfd",
    "eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch "
    "io_cancel io_destroy",
    "io_getevents io_pgetevents io_setup io_submit poll ppoll pselect6 select",
    // Extended attributes
    "fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr "
    "listxattrat llistxattr",
    "lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat",
    // Files
    "access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat "
    "faccessat2 fadvise64",
    "fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync flock fstat "
    "fstatfs fsync ftruncate",
    "futimesat getcwd getdents getdents64 ioctl lchown link linkat listmount lseek lstat mkdir "
    "mkdirat mknod mknodat",
    "name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 "
    "pwritev pwritev2 read",
    "readahead readlink readlinkat readv rename renameat renameat2 rmdir splice stat statfs "
    "statmount statx symlink",
    "symlinkat sync sync_file_range syncfs tee truncate unlink unlinkat utime utimensat utimes "
    "vmsplice write writev",
    // Names of 32-bit and other architectures
    "chown32 clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 "
    "fadvise64_64 fchown32 fcntl64",
    "fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32 "
    "getresgid32",
    "getresuid32 getuid32 io_pgetevents_time64 ipc lchown32 _llseek lstat64 mmap2 "
    "mq_timedreceive_time64",
    "mq_timedsend_time64 _newselect ppoll_time64 pselect6_time64 recv recvmmsg_time64 "
    "riscv_hwprobe",
    "rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop_time64 send sendfile64 "
    "setfsgid32 setfsuid32 setgid32",
    "setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigprocmask sigreturn "
    "stat64 statfs64",
    "timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit "
    "utimensat_time64 waitpid",
    // Open since Linux 4.8, when ptrace could no longer bypass a filter
    "ptrace process_vm_readv process_vm_writev",
#if defined(__x86_64__)
    "arch_prctl modify_ldt",
#elif defined(__aarch64__)
    "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
#endif
};

struct Opened {
  std::string_view capability;
  std::string_view names;
};
constexpr Opened kOpened[] = {
    {"DAC_READ_SEARCH", "open_by_handle_at"},
    {"SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
     "lsm_get_self_attr lsm_list_modules "
     "lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl "
     "quotactl_fd setdomainname "
     "sethostname setns syslog umount umount2 unshare"},
    {"SYS_BOOT", "reboot"},
    {"SYS_CHROOT", "chroot"},
    {"SYS_MODULE", "delete_module init_module finit_module"},
    {"SYS_PACCT", "acct"},
    {"SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"},
    {"SYS_RAWIO", "iopl ioperm"},
    {"SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"SYS_TTY_CONFIG", "vhangup"},
    {"SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"SYSLOG", "syslog"},
    {"BPF", "bpf"},
    {"PERFMON", "perf_event_open"},
};

void append_names(std::string_view words, std::vector<std::string>* names) {
  while (!words.empty()) {
    const std::size_t space = std::min(words.find(' '), words.size());
    if (space > 0) names->emplace_back(words.substr(0, space));
    words.remove_prefix(std::min(space + 1, words.size()));
  }
}

SeccompRule rule(std::string_view name, std::string_view action,
                 std::optional<std::uint32_t> errno_ret, std::vector<SeccompArg> args) {
  return SeccompRule{{std::string(name)}, std::string(action), errno_ret, std::move(args)};
}

}  // namespace

Seccomp default_seccomp(CapabilityMask capabilities) {
  const auto has = [&](std::string_view name) {
    return (capabilities >> capability_number(name).value_or(63) & 1U) != 0;
  };
  Seccomp policy;
  policy.default_action = "SCMP_ACT_ERRNO";
  policy.default_errno_ret = EPERM;
#if defined(__x86_64__)
  policy.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  policy.architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
  SeccompRule plain{{}, "SCMP_ACT_ALLOW", std::nullopt, {}};
  for (const auto words : kAllowed) append_names(words, &plain.names);
  for (const auto& [capability, words] : kOpened) {
    if (has(capability)) append_names(words, &plain.names);
  }
  policy.syscalls.push_back(std::move(plain));

  // AF_ALG (38) and AF_VSOCK (40) are refused. The kernel takes the family as an int, so only the
  // low half counts: a comparison of all 64 bits could be passed with garbage above.
  for (const std::uint64_t family : {38U, 40U}) {
    policy.syscalls.push_back(
        rule("socket", "SCMP_ACT_ERRNO", EPERM, {{0, 0xffffffffU, family, "SCMP_CMP_MASKED_EQ"}}));
  }
  policy.syscalls.push_back(rule("socket", "SCMP_ACT_ALLOW", std::nullopt, {}));
  // The old multiplexer of 32-bit x86 hides the family in memory where no filter can look: its
  // SYS_SOCKET (1) is refused.
  policy.syscalls.push_back(
      rule("socketcall", "SCMP_ACT_ERRNO", EPERM, {{0, 0xffffffffU, 1, "SCMP_CMP_MASKED_EQ"}}));
  policy.syscalls.push_back(rule("socketcall", "SCMP_ACT_ALLOW", std::nullopt, {}));
  for (const std::uint64_t persona : {0x0U, 0x8U, 0x20000U, 0x20008U, 0xffffffffU}) {
    policy.syscalls.push_back(
        rule("personality", "SCMP_ACT_ALLOW", std::nullopt, {{0, persona, 0, "SCMP_CMP_EQ"}}));
  }
  if (!has("SYS_ADMIN")) {
    // Every CLONE_NEW* that fits in clone's flags.
    policy.syscalls.push_back(
        rule("clone", "SCMP_ACT_ALLOW", std::nullopt, {{0, 0x7E020000U, 0, "SCMP_CMP_MASKED_EQ"}}));
    // clone3's flags are in memory. ENOSYS makes C libraries fall back to clone.
    policy.syscalls.push_back(rule("clone3", "SCMP_ACT_ERRNO", ENOSYS, {}));
  }
  return policy;
}

}  // namespace stack::runtime
