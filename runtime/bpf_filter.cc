#include "runtime/bpf_filter.h"

#include <linux/seccomp.h>

#include <cstddef>

namespace stack::runtime {

namespace {

using Code = std::vector<sock_filter>;

constexpr std::uint32_t kX32Bit = 0x40000000U;

sock_filter statement(unsigned code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}
sock_filter jump(unsigned code, std::uint32_t k, std::size_t yes, std::size_t no) {
  return {static_cast<std::uint16_t>(BPF_JMP | BPF_K | code), static_cast<std::uint8_t>(yes),
          static_cast<std::uint8_t>(no), k};
}
sock_filter answer(std::uint32_t action) { return statement(BPF_RET | BPF_K, action); }
sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
void append(Code* code, const Code& more) { code->insert(code->end(), more.begin(), more.end()); }

// Goes on with `then` when A >= k, with `otherwise` when not. Conditional jumps reach 255
// instructions, JA everything.
Code branch_at_least(std::uint32_t k, const Code& then, const Code& otherwise) {
  Code code;
  if (otherwise.size() <= 255) {
    code.push_back(jump(BPF_JGE, k, otherwise.size(), 0));
  } else {
    code.push_back(jump(BPF_JGE, k, 0, 1));
    code.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(otherwise.size())));
  }
  append(&code, otherwise);
  append(&code, then);
  return code;
}

// Code of one rule; falls through to what follows it when a test fails. Marks: a jump distance of
// kFail or kPass is filled in when the lengths are known.
class RuleCode {
 public:
  Code build(const ArgRule& rule) {
    for (const auto& test : rule.tests) add(test);
    code_.push_back(answer(rule.action));
    for (const auto& fix : fixes_) {
      auto& distance = fix.when_true ? code_[fix.at].jt : code_[fix.at].jf;
      const std::size_t target = fix.fail ? code_.size() : fix.pass_target;
      distance = static_cast<std::uint8_t>(target - fix.at - 1);
    }
    return std::move(code_);
  }

 private:
  struct Fix {
    std::size_t at;
    bool when_true;
    bool fail;
    std::size_t pass_target;
  };

  void add(const ArgTest& test) {
    // Arguments are 64 bits, of which BPF sees two halves. offsetof(args) is 16; little-endian
    // machines only.
    const std::size_t low = offsetof(seccomp_data, args) + std::size_t{8} * test.index;
    const std::uint64_t value =
        test.op == CompareOp::kMaskedEqual ? test.datum & test.value : test.value;
    const auto high_k = static_cast<std::uint32_t>(value >> 32U);
    const auto low_k = static_cast<std::uint32_t>(value);
    const std::size_t first_fix = fixes_.size();
    code_.push_back(load(low + 4));
    switch (test.op) {
      case CompareOp::kMaskedEqual:
        code_.push_back(
            statement(BPF_ALU | BPF_AND | BPF_K, static_cast<std::uint32_t>(test.value >> 32U)));
        compare(BPF_JEQ, high_k, Goes::kOn, Goes::kFail);
        code_.push_back(load(low));
        code_.push_back(
            statement(BPF_ALU | BPF_AND | BPF_K, static_cast<std::uint32_t>(test.value)));
        compare(BPF_JEQ, low_k, Goes::kOn, Goes::kFail);
        break;
      case CompareOp::kEqual:
        compare(BPF_JEQ, high_k, Goes::kOn, Goes::kFail);
        code_.push_back(load(low));
        compare(BPF_JEQ, low_k, Goes::kOn, Goes::kFail);
        break;
      case CompareOp::kNotEqual:
        compare(BPF_JEQ, high_k, Goes::kOn, Goes::kPass);
        code_.push_back(load(low));
        compare(BPF_JEQ, low_k, Goes::kFail, Goes::kOn);
        break;
      case CompareOp::kGreater:
      case CompareOp::kGreaterEqual:
        compare(BPF_JGT, high_k, Goes::kPass, Goes::kOn);
        compare(BPF_JEQ, high_k, Goes::kOn, Goes::kFail);
        code_.push_back(load(low));
        compare(test.op == CompareOp::kGreater ? BPF_JGT : BPF_JGE, low_k, Goes::kOn, Goes::kFail);
        break;
      case CompareOp::kLess:
      case CompareOp::kLessEqual:
        compare(BPF_JGT, high_k, Goes::kFail, Goes::kOn);
        compare(BPF_JEQ, high_k, Goes::kOn, Goes::kPass);
        code_.push_back(load(low));
        compare(test.op == CompareOp::kLess ? BPF_JGE : BPF_JGT, low_k, Goes::kFail, Goes::kOn);
        break;
    }
    for (std::size_t i = first_fix; i < fixes_.size(); ++i) fixes_[i].pass_target = code_.size();
  }

  enum class Goes { kOn, kPass, kFail };
  void compare(unsigned op, std::uint32_t k, Goes yes, Goes no) {
    code_.push_back(jump(op, k, 0, 0));
    if (yes != Goes::kOn) fixes_.push_back({code_.size() - 1, true, yes == Goes::kFail, 0});
    if (no != Goes::kOn) fixes_.push_back({code_.size() - 1, false, no == Goes::kFail, 0});
  }

  Code code_;
  std::vector<Fix> fixes_;
};

Code leaf(const Answer& what) {
  Code code;
  for (const auto& rule : what.rules) append(&code, RuleCode().build(rule));
  code.push_back(answer(what.otherwise));
  return code;
}

struct Range {
  std::uint32_t start;
  const Answer* what;
};

Code search(const std::vector<Range>& ranges, std::size_t first, std::size_t last) {
  if (last - first == 1) return leaf(*ranges[first].what);
  const std::size_t middle = first + (last - first) / 2;
  return branch_at_least(ranges[middle].start, search(ranges, middle, last),
                         search(ranges, first, middle));
}

bool same(const Answer& a, const Answer& b) {
  return a.rules.empty() && b.rules.empty() && a.otherwise == b.otherwise;
}

// The accumulator holds the number.
Code search_numbers(const ArchTable& table) {
  const Answer unknown{{}, table.unknown};
  const Answer above{{}, table.above_highest};
  std::vector<Range> ranges;
  const auto add = [&](std::uint32_t start, const Answer& what) {
    if (!ranges.empty() && same(*ranges.back().what, what)) return;
    ranges.push_back({start, &what});
  };
  std::uint32_t next = 0;  // first number not covered yet
  for (const auto& [number, what] : table.answers) {
    if (ranges.empty() || number != next) add(next, unknown);
    add(number, what);
    next = number + 1;
  }
  add(next, above);
  // A first range may begin at 0 twice (number 0 has an answer): the later one is meant.
  if (ranges.size() > 1 && ranges[1].start == ranges[0].start) ranges.erase(ranges.begin());
  return search(ranges, 0, ranges.size());
}

}  // namespace

Result<std::vector<sock_filter>> build_filter(const std::vector<ArchTable>& tables) {
  Code code{load(offsetof(seccomp_data, arch))};
  const ArchTable* x32 = nullptr;
  for (const auto& table : tables) {
    if (table.x32) x32 = &table;
  }
  for (const auto& table : tables) {
    if (table.x32) continue;
    Code body{load(offsetof(seccomp_data, nr))};
    bool has_x32_numbers = false;
#if defined(__x86_64__)
    has_x32_numbers = table.audit_arch == 0xC000003EU;
#endif
    if (has_x32_numbers) {
      // Without a table of its own the x32 interface is a foreign architecture.
      const Code other =
          x32 != nullptr ? search_numbers(*x32) : Code{answer(SECCOMP_RET_KILL_THREAD)};
      append(&body, branch_at_least(kX32Bit, other, search_numbers(table)));
    } else {
      append(&body, search_numbers(table));
    }
    code.push_back(jump(BPF_JEQ, table.audit_arch, 1, 0));
    code.push_back(statement(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(body.size())));
    append(&code, body);
  }
  code.push_back(answer(SECCOMP_RET_KILL_THREAD));
  if (code.size() > BPF_MAXINSNS) {
    return Error::invalid("the seccomp profile needs " + std::to_string(code.size()) +
                          " instructions, the kernel allows 4096");
  }
  return code;
}

}  // namespace stack::runtime
