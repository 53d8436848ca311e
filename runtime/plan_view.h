// The shim's view of a launch plan: strings and lists point into the plan's bytes.
#pragma once

#include "runtime/plan_wire.h"

namespace stack::runtime::wire {

struct ProcessView {
  std::uint32_t flags = 0;  // the kNoNewPrivileges, kNamedUser, kOomScore part
  std::string_view user;
  std::uint32_t uid = 0, gid = 0;
  List gids;         // u32
  List group_names;  // str
  List args, env;    // str
  std::string_view cwd;
  std::uint32_t umask = 022;
  std::uint64_t bounding = 0, effective = 0, permitted = 0, inheritable = 0, ambient = 0;
  List rlimits;  // u32 resource, u64 soft, u64 hard
  std::int32_t oom_score_adj = 0;
  std::uint32_t seccomp_flags = 0;
  std::string_view seccomp;  // sock_filter[], maybe unaligned
};

struct PlanView {
  std::uint32_t flags = 0;
  std::string_view id, run_dir, log_file;
  std::uint64_t log_max_size = 0;
  std::uint32_t log_max_file = 1;
  std::uint32_t rows = 0, cols = 0;
  std::uint64_t clone_flags = 0;
  std::int32_t netns_fd = -1, unified_fd = -1, oom_fd = -1, init_fd = -1;
  std::int32_t in_fd = -1, out_fd = -1, err_fd = -1;  // exec without terminal
  List tasks;                                         // u32 fd
  List clients;                                       // u32 fd, u32 ClientFlag
  List joins;                                         // u32 CLONE_NEW*, str path
  ProcessView process;
  std::string_view hostname, domainname;
  List lowers;  // str
  std::string_view upper, work, root_path;
  std::uint32_t root_propagation = 0;
  List mounts;    // MountView
  List symlinks;  // str path in the root, str target
  List devices;   // str path, u32 mode with type, u32 major, u32 minor, u32 uid, u32 gid
  List sysctls;   // str path below /proc/sys, str value
  List masked, readonly;
};

struct MountView {
  std::uint32_t flags = 0;
  std::string_view target, source, fstype, data;
  std::uint64_t attr_set = 0, attr_clear = 0;  // MOUNT_ATTR_*
  std::uint64_t propagation = 0;               // MS_*, 0: leave
};

inline List read_list(Reader* r) {
  List list;
  list.items = r->list(&list.count);
  return list;
}

inline ProcessView read_process(Reader* r) {
  ProcessView p;
  p.flags = r->u32();
  p.user = r->str();
  p.uid = r->u32();
  p.gid = r->u32();
  p.gids = read_list(r);
  p.group_names = read_list(r);
  p.args = read_list(r);
  p.env = read_list(r);
  p.cwd = r->str();
  p.umask = r->u32();
  p.bounding = r->u64();
  p.effective = r->u64();
  p.permitted = r->u64();
  p.inheritable = r->u64();
  p.ambient = r->u64();
  p.rlimits = read_list(r);
  p.oom_score_adj = static_cast<std::int32_t>(r->u32());
  p.seccomp_flags = r->u32();
  p.seccomp = r->str();
  return p;
}

// False when the bytes are not a plan.
inline bool read_plan(const char* data, std::size_t size, PlanView* plan) {
  Reader r(data, size);
  if (r.u32() != kMagic) return false;
  plan->flags = r.u32();
  plan->id = r.str();
  plan->run_dir = r.str();
  plan->log_file = r.str();
  plan->log_max_size = r.u64();
  plan->log_max_file = r.u32();
  plan->rows = r.u32();
  plan->cols = r.u32();
  plan->clone_flags = r.u64();
  for (std::int32_t* fd : {&plan->netns_fd, &plan->unified_fd, &plan->oom_fd, &plan->init_fd,
                           &plan->in_fd, &plan->out_fd, &plan->err_fd}) {
    *fd = static_cast<std::int32_t>(r.u32());
  }
  plan->tasks = read_list(&r);
  plan->clients = read_list(&r);
  plan->joins = read_list(&r);
  plan->process = read_process(&r);
  plan->hostname = r.str();
  plan->domainname = r.str();
  plan->lowers = read_list(&r);
  plan->upper = r.str();
  plan->work = r.str();
  plan->root_path = r.str();
  plan->root_propagation = r.u32();
  plan->mounts = read_list(&r);
  plan->symlinks = read_list(&r);
  plan->devices = read_list(&r);
  plan->sysctls = read_list(&r);
  plan->masked = read_list(&r);
  plan->readonly = read_list(&r);
  return !r.bad();
}

inline MountView read_mount(Reader* r) {
  MountView m;
  m.flags = r->u32();
  m.target = r->str();
  m.source = r->str();
  m.fstype = r->str();
  m.data = r->str();
  m.attr_set = r->u64();
  m.attr_clear = r->u64();
  m.propagation = r->u64();
  return m;
}

}  // namespace stack::runtime::wire
