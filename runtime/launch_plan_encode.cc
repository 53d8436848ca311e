#include <sys/stat.h>

#include <cstring>

#include "runtime/launch_plan.h"
#include "runtime/plan_view.h"

namespace stack::runtime {

namespace {

class Writer {
 public:
  void u32(std::uint32_t value) { raw(&value, sizeof value); }
  void u64(std::uint64_t value) { raw(&value, sizeof value); }
  void fd(int value) { u32(static_cast<std::uint32_t>(value)); }
  void str(std::string_view text) {
    u32(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
    bytes_.push_back('\0');
  }
  template <typename T, typename F>
  void list(const std::vector<T>& items, F&& each) {
    u32(static_cast<std::uint32_t>(items.size()));
    const std::size_t size_at = bytes_.size();
    u32(0);
    for (const auto& item : items) each(item);
    const auto size = static_cast<std::uint32_t>(bytes_.size() - size_at - 4);
    std::memcpy(bytes_.data() + size_at, &size, sizeof size);
  }
  void strings(const std::vector<std::string>& items) {
    list(items, [&](const std::string& item) { str(item); });
  }
  void pairs(const std::vector<std::pair<std::string, std::string>>& items) {
    list(items, [&](const auto& item) {
      str(item.first);
      str(item.second);
    });
  }
  std::string take() { return std::move(bytes_); }

 private:
  void raw(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }
  std::string bytes_;
};

void write_process(Writer* w, const ProcessPlan& p) {
  w->u32(p.flags);
  w->str(p.user);
  w->u32(p.uid);
  w->u32(p.gid);
  w->list(p.gids, [&](std::uint32_t gid) { w->u32(gid); });
  w->strings(p.group_names);
  w->strings(p.args);
  w->strings(p.env);
  w->str(p.cwd);
  w->u32(p.umask);
  for (const CapabilityMask mask : {p.bounding, p.effective, p.permitted, p.inheritable, p.ambient})
    w->u64(mask);
  w->list(p.rlimits, [&](const ProcessPlan::Limit& limit) {
    w->u32(limit.resource);
    w->u64(limit.soft);
    w->u64(limit.hard);
  });
  w->u32(static_cast<std::uint32_t>(p.oom_score_adj));
  w->u32(p.seccomp.flags);
  w->str({reinterpret_cast<const char*>(p.seccomp.program.data()),
          p.seccomp.program.size() * sizeof(sock_filter)});
}

std::vector<std::string> read_strings(wire::List list) {
  std::vector<std::string> result;
  for (std::uint32_t i = 0; i < list.count; ++i) result.emplace_back(list.items.str());
  return result;
}

}  // namespace

std::string encode(const ProcessPlan& process) {
  Writer w;
  write_process(&w, process);
  return w.take();
}

Result<ProcessPlan> decode_process(std::string_view bytes) {
  wire::Reader reader(bytes.data(), bytes.size());
  wire::ProcessView view = wire::read_process(&reader);
  if (reader.bad())
    return Error::make(ErrorKind::kInternal, "the container's process record is damaged");
  ProcessPlan p;
  p.flags = view.flags;
  p.user = view.user;
  p.uid = view.uid;
  p.gid = view.gid;
  for (std::uint32_t i = 0; i < view.gids.count; ++i) p.gids.push_back(view.gids.items.u32());
  p.group_names = read_strings(view.group_names);
  p.args = read_strings(view.args);
  p.env = read_strings(view.env);
  p.cwd = view.cwd;
  p.umask = view.umask;
  p.bounding = view.bounding;
  p.effective = view.effective;
  p.permitted = view.permitted;
  p.inheritable = view.inheritable;
  p.ambient = view.ambient;
  for (std::uint32_t i = 0; i < view.rlimits.count; ++i) {
    ProcessPlan::Limit limit;
    limit.resource = view.rlimits.items.u32();
    limit.soft = view.rlimits.items.u64();
    limit.hard = view.rlimits.items.u64();
    p.rlimits.push_back(limit);
  }
  p.oom_score_adj = view.oom_score_adj;
  p.seccomp.flags = view.seccomp_flags;
  p.seccomp.program.resize(view.seccomp.size() / sizeof(sock_filter));
  if (!view.seccomp.empty())
    std::memcpy(p.seccomp.program.data(), view.seccomp.data(), view.seccomp.size());
  return p;
}

std::string encode(const LaunchPlan& plan) {
  Writer w;
  w.u32(wire::kMagic);
  w.u32(plan.flags);
  w.str(plan.id);
  w.str(plan.run_dir);
  w.str(plan.log_file);
  w.u64(plan.log_max_size);
  w.u32(plan.log_max_file);
  w.u32(plan.rows);
  w.u32(plan.cols);
  w.u64(plan.clone_flags);
  for (const int fd : {plan.netns_fd, plan.unified_fd, plan.oom_fd, plan.init_fd, plan.in_fd,
                       plan.out_fd, plan.err_fd}) {
    w.fd(fd);
  }
  w.list(plan.tasks, [&](std::uint32_t fd) { w.u32(fd); });
  w.list(plan.clients, [&](const auto& client) {
    w.u32(client.first);
    w.u32(client.second);
  });
  w.list(plan.joins, [&](const auto& join) {
    w.u32(join.first);
    w.str(join.second);
  });
  write_process(&w, plan.process);
  w.str(plan.hostname);
  w.str(plan.domainname);
  w.strings(plan.lowers);
  w.str(plan.upper);
  w.str(plan.work);
  w.str(plan.root_path);
  w.u32(plan.root_propagation);
  w.list(plan.mounts, [&](const MountPlan& m) {
    w.u32(m.flags);
    w.str(m.target);
    w.str(m.source);
    w.str(m.fstype);
    w.str(m.data);
    w.u64(m.attr_set);
    w.u64(m.attr_clear);
    w.u64(m.propagation);
  });
  w.pairs(plan.symlinks);
  w.list(plan.devices, [&](const Device& d) {
    const unsigned type = d.type == 'b' ? S_IFBLK : d.type == 'p' ? S_IFIFO : S_IFCHR;
    w.str(d.path);
    w.u32(type | (d.file_mode & 07777U));
    w.u32(static_cast<std::uint32_t>(d.major));
    w.u32(static_cast<std::uint32_t>(d.minor));
    w.u32(d.uid);
    w.u32(d.gid);
  });
  w.pairs(plan.sysctls);
  w.strings(plan.masked);
  w.strings(plan.readonly);
  return w.take();
}

}  // namespace stack::runtime
