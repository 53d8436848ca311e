#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "runtime/container_files.h"
#include "runtime/container_state.h"

namespace stack::runtime {

namespace {

constexpr const char* kCreatePrefix =
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "runc create failed: ";
constexpr const char* kInitPrefix =
    "unable to start container process: error during container init: ";

Status prepare_run_dir(const std::filesystem::path& run_dir) {
  TRY(make_directories(run_dir, 0700));
  for (const char* name : {"exit", "exit.tmp", "pids", "pids.tmp", "process", "sock"}) {
    if (::unlink((run_dir / name).c_str()) != 0 && errno != ENOENT)
      return Error::os(errno, "cleaning " + run_dir.string());
  }
  return ok_status();
}

Error with_prefix(Error error) {
  error.message = kCreatePrefix + error.message;
  return error;
}

}  // namespace

Result<Runtime> Runtime::open(RuntimeConfig config) {
  auto state = std::make_unique<State>();
  state->shim = TRY_WHILE(open_shim(config.shim_binary), "finding stack-shim");
  if (!config.cache_dir.empty()) TRY(make_directories(config.cache_dir, 0700));
  state->cgroups = TRY(CgroupSystem::detect());
  state->config = std::move(config);
  return Runtime(std::move(state));
}

Result<RunningContainer> Runtime::start(const StartRequest& request) const {
  const Spec& spec = request.spec;
  SeccompFilter filter;
  if (spec.linux_.seccomp)
    filter = TRY(cached_seccomp(*spec.linux_.seccomp, state_->config.cache_dir));
  const CgroupSystem& cgroups = *state_->cgroups;
  const std::string group = default_cgroup_path(request);
  auto plan = make_plan(request, filter, cgroups.views(group), cgroups.is_v2());
  if (!plan.ok()) return with_prefix(std::move(plan).error());

  TRY(prepare_run_dir(request.run_dir));
  TRY(write_state(request.run_dir, {request.id, group}));
  TRY(write_file(request.run_dir / "process", encode(plan->process), 0600));
  if (Status made = cgroups.create(group, spec.linux_.resources); !made.ok()) {
    return with_prefix(std::move(made).error());
  }
  const auto run = [&]() -> Result<RunningContainer> {
    CgroupHandles handles = TRY(cgroups.open(group));
    ShimFds fds;
    for (const auto& task : handles.tasks)
      plan->tasks.push_back(static_cast<std::uint32_t>(fds.add(task.get())));
    plan->unified_fd = fds.add(handles.unified.get());
    plan->oom_fd = fds.add(handles.oom.get());
    plan->netns_fd = fds.add(request.netns_fd);
    for (const auto& client : request.clients) {
      const std::uint32_t flags = (client.request.stdin_ ? wire::kClientStdin : 0U) |
                                  (client.request.stdout_ ? wire::kClientStdout : 0U) |
                                  (client.request.stderr_ ? wire::kClientStderr : 0U);
      plan->clients.emplace_back(static_cast<std::uint32_t>(fds.add(client.fd)), flags);
    }
    Launched launched =
        TRY(launch(state_->shim.get(), *plan, fds, std::string(kCreatePrefix) + kInitPrefix));
    RunningContainer running;
    running.init = launched.process;
    running.shim.pid = launched.child.pid;
    running.shim.start_time = TRY(read_pids_file(request.run_dir)).shim.start_time;
    running.shim_pidfd = std::move(launched.child.pidfd);
    return running;
  };
  auto running = run();
  if (!running.ok()) {
    (void)cgroups.kill(group);
    (void)cgroups.remove(group);
    (void)prepare_run_dir(request.run_dir);
  }
  return running;
}

}  // namespace stack::runtime
