// Device rules on cgroup v2: an eBPF program (BPF_PROG_TYPE_CGROUP_DEVICE) that tests the rules
// from the last to the first, because the last match wins.
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/cgroup_files.h"

namespace stack::runtime {

namespace {

bpf_insn insn(unsigned code, unsigned dst, unsigned src, std::int16_t off, std::int32_t imm) {
  bpf_insn i{};
  i.code = static_cast<std::uint8_t>(code);
  i.dst_reg = static_cast<std::uint8_t>(dst & 15U);
  i.src_reg = static_cast<std::uint8_t>(src & 15U);
  i.off = off;
  i.imm = imm;
  return i;
}

int bpf_call(int command, bpf_attr* attr) {
  return static_cast<int>(::syscall(SYS_bpf, command, attr, sizeof *attr));
}

unsigned access_bits(const std::string& access) {
  unsigned bits = 0;
  for (const char c : access) {
    if (c == 'r') bits |= BPF_DEVCG_ACC_READ;
    if (c == 'w') bits |= BPF_DEVCG_ACC_WRITE;
    if (c == 'm') bits |= BPF_DEVCG_ACC_MKNOD;
  }
  return bits;
}

// r2 = type, r3 = access, r4 = major, r5 = minor of struct bpf_cgroup_dev_ctx at r1.
std::vector<bpf_insn> device_program(const std::vector<DeviceRule>& rules) {
  std::vector<bpf_insn> code = {
      insn(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 0, 0),
      insn(BPF_ALU64 | BPF_MOV | BPF_X, 3, 2, 0, 0),
      insn(BPF_ALU64 | BPF_AND | BPF_K, 2, 0, 0, 0xffff),
      insn(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 16),
      insn(BPF_LDX | BPF_MEM | BPF_W, 4, 1, 4, 0),
      insn(BPF_LDX | BPF_MEM | BPF_W, 5, 1, 8, 0),
  };
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    std::vector<bpf_insn> block;
    std::vector<std::size_t> misses;  // jumps to the next rule
    const auto skip_unless_equal = [&](unsigned reg, std::int64_t value) {
      misses.push_back(block.size());
      block.push_back(insn(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, static_cast<std::int32_t>(value)));
    };
    if (rule->type != 'a')
      skip_unless_equal(2, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    const unsigned bits = access_bits(rule->access);
    if (rule->allow) {
      // Everything that is asked for must be in the rule.
      block.push_back(insn(BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0, 0));
      block.push_back(
          insn(BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, static_cast<std::int32_t>(~bits & 7U)));
      skip_unless_equal(1, 0);
    } else {
      block.push_back(insn(BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0, 0));
      block.push_back(insn(BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, static_cast<std::int32_t>(bits)));
      misses.push_back(block.size());
      block.push_back(insn(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0, 0));
    }
    if (rule->major) skip_unless_equal(4, *rule->major);
    if (rule->minor) skip_unless_equal(5, *rule->minor);
    block.push_back(insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, rule->allow ? 1 : 0));
    block.push_back(insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    for (const std::size_t at : misses)
      block[at].off = static_cast<std::int16_t>(block.size() - at - 1);
    code.insert(code.end(), block.begin(), block.end());
    if (rule->type == 'a' && !rule->major && !rule->minor && bits == 7U && rule->allow) break;
  }
  code.push_back(insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0));
  code.push_back(insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  return code;
}

}  // namespace

Status attach_device_program(int cgroup_fd, const std::vector<DeviceRule>& rules) {
  const std::vector<bpf_insn> code = device_program(rules);
  static constexpr char kLicense[] = "Dual MIT/GPL";
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<std::uint64_t>(code.data());
  load.insn_cnt = static_cast<std::uint32_t>(code.size());
  load.license = reinterpret_cast<std::uint64_t>(kLicense);
  const Fd program(bpf_call(BPF_PROG_LOAD, &load));
  if (!program) return Error::os(errno, "loading the device rules");
  std::uint32_t ids[64];
  bpf_attr query{};
  query.query.target_fd = static_cast<std::uint32_t>(cgroup_fd);
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = reinterpret_cast<std::uint64_t>(ids);
  query.query.prog_cnt = 64;
  Fd old;
  if (bpf_call(BPF_PROG_QUERY, &query) == 0 && query.query.prog_cnt == 1) {
    bpf_attr by_id{};
    by_id.prog_id = ids[0];
    old = Fd(bpf_call(BPF_PROG_GET_FD_BY_ID, &by_id));
  }
  bpf_attr attach{};
  attach.target_fd = static_cast<std::uint32_t>(cgroup_fd);
  attach.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (old) {
    attach.attach_flags |= BPF_F_REPLACE;
    attach.replace_bpf_fd = static_cast<std::uint32_t>(old.get());
  }
  if (bpf_call(BPF_PROG_ATTACH, &attach) != 0)
    return Error::os(errno, "attaching the device rules");
  return ok_status();
}

}  // namespace stack::runtime
