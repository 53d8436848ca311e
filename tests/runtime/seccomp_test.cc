// Docker's policy, evaluated: an interpreter of classic BPF answers for single calls what the
// kernel would.
#include "runtime/seccomp.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

namespace stack::runtime {
namespace {

constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
std::uint32_t refuse(int error) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error); }

std::uint32_t evaluate(const std::vector<sock_filter>& program, const seccomp_data& data) {
  std::uint32_t a = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& i = program[pc];
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + i.k, 4);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= i.k;
        break;
      case BPF_JMP | BPF_JA:
        pc += i.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        pc += a == i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        pc += a > i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        pc += a >= i.k ? i.jt : i.jf;
        break;
      case BPF_RET | BPF_K:
        return i.k;
      default:
        ADD_FAILURE() << "instruction " << i.code;
        return 0;
    }
  }
  ADD_FAILURE() << "ran off the end";
  return 0;
}

std::uint32_t ask(const std::vector<sock_filter>& program, std::uint32_t number,
                  std::uint64_t arg0 = 0, std::uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = arch;
  data.args[0] = arg0;
  return evaluate(program, data);
}

#if defined(__x86_64__)

TEST(DefaultSeccomp, AnswersAsMeasuredUnderDocker) {
  const auto filter = compile_seccomp(default_seccomp(kDefaultCapabilities));
  ASSERT_TRUE(filter.ok()) << filter.error().to_string();
  const auto& p = filter->program;
  for (const int call : {SYS_read, SYS_openat, SYS_execve, SYS_ptrace, SYS_chroot,
                         SYS_process_vm_readv, SYS_modify_ldt, SYS_memfd_secret,
                         SYS_landlock_create_ruleset, SYS_adjtimex, SYS_mknod, SYS_close_range}) {
    EXPECT_EQ(ask(p, static_cast<std::uint32_t>(call)), kAllow) << call;
  }
  // Newer than libseccomp: statmount, listmount, mseal, setxattrat, futex_wake, cachestat,
  // uretprobe.
  for (const std::uint32_t call : {457U, 458U, 462U, 463U, 466U, 454U, 451U, 335U})
    EXPECT_EQ(ask(p, call), kAllow) << call;
  for (const int call : {SYS_keyctl,         SYS_add_key,     SYS_request_key,
                         SYS_io_uring_setup, SYS_userfaultfd, SYS_unshare,
                         SYS_mount,          SYS_fsopen,      SYS_open_by_handle_at,
                         SYS_kcmp,           SYS_pidfd_getfd, SYS_syslog,
                         SYS_settimeofday,   SYS_sethostname, SYS_pivot_root,
                         SYS_kexec_load,     SYS_bpf,         SYS_setns,
                         SYS_reboot,         SYS_swapon}) {
    EXPECT_EQ(ask(p, static_cast<std::uint32_t>(call)), refuse(EPERM)) << call;
  }
  EXPECT_EQ(ask(p, SYS_clone3), refuse(ENOSYS));
  for (const std::uint32_t call : {467U, 468U, 600U, 1000U, 0xffffffffU})
    EXPECT_EQ(ask(p, call), refuse(ENOSYS)) << call;
}

TEST(DefaultSeccomp, ArgumentsDecide) {
  const auto filter = compile_seccomp(default_seccomp(kDefaultCapabilities));
  const auto& q = filter->program;
  EXPECT_EQ(ask(q, SYS_socket, AF_INET), kAllow);
  EXPECT_EQ(ask(q, SYS_socket, AF_PACKET), kAllow);
  EXPECT_EQ(ask(q, SYS_socket, 39), kAllow);
  EXPECT_EQ(ask(q, SYS_socket, AF_VSOCK), refuse(EPERM));
  EXPECT_EQ(ask(q, SYS_socket, AF_ALG), refuse(EPERM));
  EXPECT_EQ(ask(q, SYS_socket, 0x100000000ULL | AF_ALG), refuse(EPERM));  // the kernel sees an int
  EXPECT_EQ(ask(q, SYS_clone, 0x3d0f00), kAllow);                         // a thread
  for (const std::uint64_t ns :
       {0x20000U, 0x2000000U, 0x4000000U, 0x8000000U, 0x10000000U, 0x20000000U, 0x40000000U}) {
    EXPECT_EQ(ask(q, SYS_clone, ns | 17), refuse(EPERM));
  }
  for (const std::uint64_t ok : {0x0U, 0x8U, 0x20000U, 0x20008U, 0xffffffffU})
    EXPECT_EQ(ask(q, SYS_personality, ok), kAllow);
  EXPECT_EQ(ask(q, SYS_personality, 0x40000), refuse(EPERM));
  EXPECT_EQ(ask(q, SYS_personality, 0x400000), refuse(EPERM));
}

TEST(DefaultSeccomp, OtherArchitectures) {
  const auto filter = compile_seccomp(default_seccomp(kDefaultCapabilities));
  const auto& p = filter->program;
  EXPECT_EQ(ask(p, 3, 0, AUDIT_ARCH_I386), kAllow);           // read
  EXPECT_EQ(ask(p, 21, 0, AUDIT_ARCH_I386), refuse(EPERM));   // mount
  EXPECT_EQ(ask(p, 102, 1, AUDIT_ARCH_I386), refuse(EPERM));  // socketcall(SYS_SOCKET)
  EXPECT_EQ(ask(p, 102, 3, AUDIT_ARCH_I386), kAllow);         // socketcall(SYS_CONNECT)
  EXPECT_EQ(ask(p, 359, AF_ALG, AUDIT_ARCH_I386), refuse(EPERM));
  EXPECT_EQ(ask(p, 0x40000000U | 39), kAllow);          // x32 getpid: the kernel says ENOSYS
  EXPECT_EQ(ask(p, 0x40000000U | 165), refuse(EPERM));  // x32 mount
  EXPECT_EQ(ask(p, 0, 0, AUDIT_ARCH_AARCH64), std::uint32_t{SECCOMP_RET_KILL_THREAD});
}

TEST(DefaultSeccomp, CapabilitiesOpenCalls) {
  const auto with = [](const char* cap) {
    auto filter = compile_seccomp(default_seccomp(kDefaultCapabilities | mask_of({cap})));
    return std::move(filter).value().program;
  };
  const auto admin = with("SYS_ADMIN");
  for (const int call :
       {SYS_mount, SYS_unshare, SYS_clone3, SYS_fsopen, SYS_sethostname, SYS_bpf, SYS_setns}) {
    EXPECT_EQ(ask(admin, static_cast<std::uint32_t>(call)), kAllow) << call;
  }
  EXPECT_EQ(ask(admin, SYS_clone, 0x10000000U), kAllow);
  EXPECT_EQ(ask(admin, SYS_keyctl), refuse(EPERM));
  EXPECT_EQ(ask(with("DAC_READ_SEARCH"), SYS_open_by_handle_at), kAllow);
  EXPECT_EQ(ask(with("SYS_TIME"), SYS_settimeofday), kAllow);
  EXPECT_EQ(ask(with("SYSLOG"), SYS_syslog), kAllow);
}

TEST(SeccompProfile, ConditionsAndComparisons) {
  const auto policy = parse_seccomp_profile(
      R"({"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
    "syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":28},
                {"name":"chmod","action":"SCMP_ACT_KILL_PROCESS","args":[{"index":0,"value":4294967300,"op":"SCMP_CMP_GE"}]},
                {"names":["chown"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":5,"op":"SCMP_CMP_LT"}]},
                {"names":["lchown"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":5,"op":"SCMP_CMP_NE"}]},
                {"names":["rmdir"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_CHOWN"]}},
                {"names":["nosuchcall"],"action":"SCMP_ACT_ERRNO"}]})",
      kDefaultCapabilities);
  ASSERT_TRUE(policy.ok()) << policy.error().to_string();
  const auto filter = compile_seccomp(*policy);
  ASSERT_TRUE(filter.ok());
  const auto& p = filter->program;
  EXPECT_EQ(ask(p, SYS_mkdir), refuse(28));
  EXPECT_EQ(ask(p, SYS_rmdir), kAllow);
  EXPECT_EQ(ask(p, 5000), kAllow);  // the default does not refuse: no ENOSYS
  EXPECT_EQ(ask(p, SYS_chmod, 4294967299ULL), kAllow);
  EXPECT_EQ(ask(p, SYS_chmod, 4294967300ULL), std::uint32_t{SECCOMP_RET_KILL_PROCESS});
  EXPECT_EQ(ask(p, SYS_chmod, ~0ULL), std::uint32_t{SECCOMP_RET_KILL_PROCESS});
  EXPECT_EQ(ask(p, SYS_chown, 4), refuse(EPERM));
  EXPECT_EQ(ask(p, SYS_chown, 5), kAllow);
  EXPECT_EQ(ask(p, SYS_chown, 0x100000000ULL), kAllow);
  EXPECT_EQ(ask(p, SYS_lchown, 5), kAllow);
  EXPECT_EQ(ask(p, SYS_lchown, 0x100000005ULL), refuse(EPERM));
  EXPECT_FALSE(parse_seccomp_profile("{", 0).ok());
  EXPECT_FALSE(compile_seccomp(Seccomp{"SCMP_ACT_NOTIFY", {}, {}, {}, {}}).ok());
}
#endif

}  // namespace
}  // namespace stack::runtime
