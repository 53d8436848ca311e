#include "runtime/seccomp.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "base/files.h"
#include "base/sha256.h"
#include "runtime/bpf_filter.h"

namespace stack::runtime {

namespace {

constexpr std::string_view kCompilerVersion = "stack-bpf-1";

// Numbers that libseccomp 2.5.4 (Debian 12) does not know yet. From 424 on they are the same
// everywhere.
constexpr std::array<std::pair<std::string_view, int>, 8> kNewerCalls = {{{"listmount", 458},
                                                                          {"statmount", 457},
                                                                          {"mseal", 462},
                                                                          {"setxattrat", 463},
                                                                          {"getxattrat", 464},
                                                                          {"listxattrat", 465},
                                                                          {"removexattrat", 466},
                                                                          {"uretprobe", 335}}};

struct Arch {
  std::string_view name;
  std::uint32_t token;  // libseccomp's
  std::uint32_t audit;
  bool x32;
};
#if defined(__x86_64__)
constexpr Arch kArchs[] = {{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, false},
                           {"SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386, false},
                           {"SCMP_ARCH_X32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64, true}};
#elif defined(__aarch64__)
constexpr Arch kArchs[] = {{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, false},
                           {"SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM, false}};
#endif

std::optional<std::uint32_t> number_of(const std::string& name, const Arch& arch) {
  int number = seccomp_syscall_resolve_name_arch(arch.token, name.c_str());
  if (number == __NR_SCMP_ERROR) {
    for (const auto& [newer, value] : kNewerCalls) {
      if (newer == name && (value >= 424 || arch.token == SCMP_ARCH_X86_64)) number = value;
    }
  }
  if (number < 0) return std::nullopt;  // unknown, or one that this architecture does not have
  return static_cast<std::uint32_t>(number) | (arch.x32 ? 0x40000000U : 0U);
}

Result<std::uint32_t> action_of(const std::string& name, std::optional<std::uint32_t> errno_ret) {
  const std::uint32_t data = errno_ret.value_or(EPERM) & SECCOMP_RET_DATA;
  if (name == "SCMP_ACT_ALLOW") return std::uint32_t{SECCOMP_RET_ALLOW};
  if (name == "SCMP_ACT_ERRNO") return SECCOMP_RET_ERRNO | data;
  if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD")
    return std::uint32_t{SECCOMP_RET_KILL_THREAD};
  if (name == "SCMP_ACT_KILL_PROCESS") return std::uint32_t{SECCOMP_RET_KILL_PROCESS};
  if (name == "SCMP_ACT_TRAP") return std::uint32_t{SECCOMP_RET_TRAP};
  if (name == "SCMP_ACT_LOG") return std::uint32_t{SECCOMP_RET_LOG};
  if (name == "SCMP_ACT_TRACE") return SECCOMP_RET_TRACE | data;
  if (name == "SCMP_ACT_NOTIFY") return Error::invalid("seccomp: SCMP_ACT_NOTIFY is not supported");
  return Error::invalid("seccomp: invalid action \"" + name + "\"");
}

Result<CompareOp> op_of(const std::string& name) {
  static const std::map<std::string, CompareOp> kOps = {
      {"SCMP_CMP_NE", CompareOp::kNotEqual},          {"SCMP_CMP_LT", CompareOp::kLess},
      {"SCMP_CMP_LE", CompareOp::kLessEqual},         {"SCMP_CMP_EQ", CompareOp::kEqual},
      {"SCMP_CMP_GE", CompareOp::kGreaterEqual},      {"SCMP_CMP_GT", CompareOp::kGreater},
      {"SCMP_CMP_MASKED_EQ", CompareOp::kMaskedEqual}};
  const auto it = kOps.find(name);
  if (it == kOps.end()) return Error::invalid("seccomp: invalid operator \"" + name + "\"");
  return it->second;
}

// Several tests of one argument in one rule are alternatives, tests of different arguments must all
// hold (as runc does).
Result<std::vector<ArgRule>> arg_rules(const SeccompRule& rule, std::uint32_t action) {
  std::vector<ArgTest> tests;
  std::array<int, 6> count{};
  bool alternatives = false;
  for (const auto& arg : rule.args) {
    if (arg.index > 5)
      return Error::invalid("seccomp: argument index " + std::to_string(arg.index) + " is above 5");
    alternatives |= ++count[arg.index] > 1;
    tests.push_back({arg.index, TRY(op_of(arg.op)), arg.value, arg.value_two});
  }
  std::vector<ArgRule> result;
  if (alternatives) {
    for (const auto& test : tests) result.push_back({{test}, action});
  } else {
    result.push_back({std::move(tests), action});
  }
  return result;
}

Result<ArchTable> table_for(const Seccomp& policy, const Arch& arch) {
  ArchTable table;
  table.audit_arch = arch.audit;
  table.x32 = arch.x32;
  table.unknown = TRY(action_of(policy.default_action, policy.default_errno_ret));
  const std::uint32_t kind = table.unknown & SECCOMP_RET_ACTION_FULL;
  const bool refuses =
      kind != SECCOMP_RET_ALLOW && kind != SECCOMP_RET_LOG && kind != SECCOMP_RET_TRACE;
  table.above_highest = refuses ? (SECCOMP_RET_ERRNO | ENOSYS) : table.unknown;
  for (const auto& rule : policy.syscalls) {
    const std::uint32_t action = TRY(action_of(rule.action, rule.errno_ret));
    const std::vector<ArgRule> rules =
        rule.args.empty() ? std::vector<ArgRule>() : TRY(arg_rules(rule, action));
    for (const auto& name : rule.names) {
      const auto number = number_of(name, arch);
      if (!number) continue;  // unknown to every party: ignored, as other runtimes do
      Answer& answer = table.answers.try_emplace(*number, Answer{{}, table.unknown}).first->second;
      // Conditional rules are tried before an unconditional one for the same call, whatever their
      // order.
      if (rule.args.empty()) {
        answer.otherwise = action;
      } else {
        answer.rules.insert(answer.rules.end(), rules.begin(), rules.end());
      }
    }
  }
  return table;
}

Result<std::uint32_t> flags_of(const Seccomp& policy) {
  std::uint32_t flags = 0;
  for (const auto& flag : policy.flags) {
    if (flag == "SECCOMP_FILTER_FLAG_LOG") {
      flags |= SECCOMP_FILTER_FLAG_LOG;
    } else if (flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW") {
      flags |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    } else if (flag != "SECCOMP_FILTER_FLAG_TSYNC") {  // the program has one thread when the filter
                                                       // is loaded
      return Error::invalid("seccomp: unknown flag \"" + flag + "\"");
    }
  }
  return flags;
}

std::string cache_key(const Seccomp& policy) {
  std::string text(kCompilerVersion);
  const scmp_version* version = seccomp_version();
  const auto add = [&](std::string_view part) {
    text += '\n';
    text += part;
  };
  if (version != nullptr)
    add(std::to_string(version->major * 10000 + version->minor * 100 + version->micro));
  add(policy.default_action);
  add(std::to_string(policy.default_errno_ret.value_or(EPERM)));
  for (const auto& arch : policy.architectures) add(arch);
  for (const auto& flag : policy.flags) add(flag);
  for (const auto& rule : policy.syscalls) {
    add("rule " + rule.action + " " + std::to_string(rule.errno_ret.value_or(EPERM)));
    for (const auto& name : rule.names) add(name);
    for (const auto& arg : rule.args) {
      add(std::to_string(arg.index) + arg.op + std::to_string(arg.value) + ":" +
          std::to_string(arg.value_two));
    }
  }
  return sha256_hex(text);
}

}  // namespace

Result<SeccompFilter> compile_seccomp(const Seccomp& policy) {
  SeccompFilter filter;
  filter.flags = TRY(flags_of(policy));
  std::vector<ArchTable> tables;
  for (const auto& arch : kArchs) {
    bool wanted = arch.token == kArchs[0].token;  // the native one always
    for (const auto& name : policy.architectures) wanted |= name == arch.name;
    if (wanted) tables.push_back(TRY(table_for(policy, arch)));
  }
  filter.program = TRY(build_filter(tables));
  return filter;
}

Result<SeccompFilter> cached_seccomp(const Seccomp& policy,
                                     const std::filesystem::path& cache_dir) {
  if (cache_dir.empty()) return compile_seccomp(policy);
  const std::filesystem::path file = cache_dir / ("seccomp-" + cache_key(policy) + ".bpf");
  if (auto bytes = read_file(file, 64U << 10U); bytes.ok() &&
                                                bytes->size() > sizeof(std::uint32_t) &&
                                                (bytes->size() - 4) % sizeof(sock_filter) == 0) {
    SeccompFilter filter;
    std::memcpy(&filter.flags, bytes->data(), 4);
    filter.program.resize((bytes->size() - 4) / sizeof(sock_filter));
    std::memcpy(filter.program.data(), bytes->data() + 4, bytes->size() - 4);
    return filter;
  }
  SeccompFilter filter = TRY(compile_seccomp(policy));
  std::string bytes(reinterpret_cast<const char*>(&filter.flags), 4);
  bytes.append(reinterpret_cast<const char*>(filter.program.data()),
               filter.program.size() * sizeof(sock_filter));
  (void)replace_file(file, bytes, 0600);  // only the next start would be faster
  return filter;
}

}  // namespace stack::runtime
