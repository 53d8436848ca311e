// From decided system call numbers to a classic BPF program: per architecture a binary search over
// ranges of numbers with the same answer, and chains of argument tests at the leaves. Pure; limits
// of the kernel (4096 instructions) are checked.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <vector>

#include "base/error.h"

namespace stack::runtime {

enum class CompareOp {
  kNotEqual,
  kLess,
  kLessEqual,
  kEqual,
  kGreaterEqual,
  kGreater,
  kMaskedEqual
};

struct ArgTest {
  std::uint32_t index = 0;
  CompareOp op = CompareOp::kEqual;
  std::uint64_t value = 0;  // kMaskedEqual: the mask
  std::uint64_t datum = 0;  // kMaskedEqual: what is left must be this
};

struct ArgRule {
  std::vector<ArgTest> tests;  // all must hold
  std::uint32_t action = 0;    // SECCOMP_RET_*
};

// What is done for one number: the first rule that matches, else `otherwise`.
struct Answer {
  std::vector<ArgRule> rules;
  std::uint32_t otherwise = 0;
};

struct ArchTable {
  std::uint32_t audit_arch = 0;
  bool x32 = false;  // the numbers with bit 30 of x86-64
  std::map<std::uint32_t, Answer> answers;
  std::uint32_t unknown = 0;        // numbers without an answer
  std::uint32_t above_highest = 0;  // numbers above the highest one with an answer
};

Result<std::vector<sock_filter>> build_filter(const std::vector<ArchTable>& tables);

}  // namespace stack::runtime
