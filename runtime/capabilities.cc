#include "runtime/capabilities.h"

#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace stack::runtime {

namespace {

// In the order of their numbers, linux/capability.h.
constexpr std::array<std::string_view, 41> kNames = {"CHOWN",
                                                     "DAC_OVERRIDE",
                                                     "DAC_READ_SEARCH",
                                                     "FOWNER",
                                                     "FSETID",
                                                     "KILL",
                                                     "SETGID",
                                                     "SETUID",
                                                     "SETPCAP",
                                                     "LINUX_IMMUTABLE",
                                                     "NET_BIND_SERVICE",
                                                     "NET_BROADCAST",
                                                     "NET_ADMIN",
                                                     "NET_RAW",
                                                     "IPC_LOCK",
                                                     "IPC_OWNER",
                                                     "SYS_MODULE",
                                                     "SYS_RAWIO",
                                                     "SYS_CHROOT",
                                                     "SYS_PTRACE",
                                                     "SYS_PACCT",
                                                     "SYS_ADMIN",
                                                     "SYS_BOOT",
                                                     "SYS_NICE",
                                                     "SYS_RESOURCE",
                                                     "SYS_TIME",
                                                     "SYS_TTY_CONFIG",
                                                     "MKNOD",
                                                     "LEASE",
                                                     "AUDIT_WRITE",
                                                     "AUDIT_CONTROL",
                                                     "SETFCAP",
                                                     "MAC_OVERRIDE",
                                                     "MAC_ADMIN",
                                                     "SYSLOG",
                                                     "WAKE_ALARM",
                                                     "BLOCK_SUSPEND",
                                                     "AUDIT_READ",
                                                     "PERFMON",
                                                     "BPF",
                                                     "CHECKPOINT_RESTORE"};

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

// The mask of one list; "ALL" is every bit.
Result<CapabilityMask> parse_list(const std::vector<std::string>& names, std::string_view option) {
  CapabilityMask mask = 0;
  for (const auto& name : names) {
    std::string plain = upper(name);
    if (plain == "ALL" || plain == "CAP_ALL") {
      mask = ~CapabilityMask{0};
      continue;
    }
    const auto number = capability_number(plain);
    if (!number) {
      if (plain.rfind("CAP_", 0) != 0) plain = "CAP_" + plain;
      return Error::invalid("invalid " + std::string(option) + ": unknown capability: \"" + plain +
                            "\"");
    }
    mask |= CapabilityMask{1} << *number;
  }
  return mask;
}

}  // namespace

std::optional<int> capability_number(std::string_view name) {
  const std::string wanted = upper(name);
  std::string_view plain = wanted;
  if (plain.starts_with("CAP_")) plain.remove_prefix(4);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == plain) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::string capability_name(int number) {
  if (number < 0 || number >= static_cast<int>(kNames.size()))
    return "CAP_" + std::to_string(number);
  return "CAP_" + std::string(kNames[static_cast<std::size_t>(number)]);
}

CapabilityMask mask_of(const std::vector<std::string>& names) {
  CapabilityMask mask = 0;
  for (const auto& name : names) {
    if (const auto number = capability_number(name)) mask |= CapabilityMask{1} << *number;
  }
  return mask;
}

std::vector<std::string> names_of(CapabilityMask mask) {
  std::vector<std::string> names;
  for (int i = 0; i < static_cast<int>(kNames.size()); ++i) {
    if ((mask >> i & 1U) != 0) names.push_back(capability_name(i));
  }
  return names;
}

Result<CapabilityMask> docker_capabilities(const std::vector<std::string>& add,
                                           const std::vector<std::string>& drop, bool privileged,
                                           CapabilityMask available) {
  const CapabilityMask added = TRY(parse_list(add, "CapAdd"));
  const CapabilityMask dropped = TRY(parse_list(drop, "CapDrop"));
  if (privileged) return available;  // cap_drop has no effect then, as under Docker
  const CapabilityMask all = ~CapabilityMask{0};
  CapabilityMask base = kDefaultCapabilities;
  if (added == all) {
    base = all & ~dropped;  // "ALL" and removals: everything but these
  } else if (dropped == all) {
    base = added;
  } else {
    base = (base & ~dropped) | added;  // what is both added and dropped stays
  }
  return base & available;
}

CapabilityMask own_bounding_set() {
  CapabilityMask mask = 0;
  for (int i = 0; i < 64; ++i) {
    const int present = ::prctl(PR_CAPBSET_READ, i, 0, 0, 0);
    if (present < 0) break;  // beyond cap_last_cap
    if (present == 1) mask |= CapabilityMask{1} << i;
  }
  return mask;
}

}  // namespace stack::runtime
