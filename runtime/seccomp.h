// Seccomp policies: Docker's default one for a set of capabilities, user profiles in Docker's
// format, and compilation to a BPF program for seccomp(2), with a cache on disk.
//
// System calls above the highest number that the policy knows answer ENOSYS (when the default
// action refuses), so that C libraries fall back as they do on an older kernel; a foreign
// architecture kills the thread.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runtime/capabilities.h"
#include "runtime/spec.h"

namespace stack::runtime {

Seccomp default_seccomp(CapabilityMask capabilities);
// A profile of Docker's format (with includes, excludes, archMap), resolved for these capabilities
// and this machine.
Result<Seccomp> parse_seccomp_profile(std::string_view json, CapabilityMask capabilities);

struct SeccompFilter {
  std::vector<sock_filter> program;
  std::uint32_t flags = 0;  // SECCOMP_FILTER_FLAG_*
};

Result<SeccompFilter> compile_seccomp(const Seccomp& policy);
// The same through files named by the SHA-256 of the policy; cache trouble is not an error.
Result<SeccompFilter> cached_seccomp(const Seccomp& policy, const std::filesystem::path& cache_dir);

}  // namespace stack::runtime
