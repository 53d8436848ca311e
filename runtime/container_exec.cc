#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "runtime/capabilities.h"
#include "runtime/container_files.h"
#include "runtime/container_state.h"

namespace stack::runtime {

namespace {

constexpr const char* kExecPrefix =
    "OCI runtime exec failed: exec failed: unable to start container process: ";

// The container's process with the request put over it.
ProcessPlan exec_process(ProcessPlan process, const ExecRequest& request) {
  process.args = request.args;
  std::vector<std::string> over = request.env;
  if (request.tty && std::none_of(over.begin(), over.end(),
                                  [](const auto& e) { return e.starts_with("TERM="); })) {
    over.insert(over.begin(), "TERM=xterm");
  }
  process.env = merge_env(process.env, over);
  if (!request.cwd.empty()) process.cwd = request.cwd;
  if (!request.user.empty()) {
    process.user = request.user;
    process.flags |= wire::kNamedUser;
    process.gids.clear();
  }
  if (request.privileged) {
    // The filter stays the container's, as under Docker.
    const CapabilityMask all = own_bounding_set();
    process.bounding = process.effective = process.permitted = all;
  }
  process.inheritable = process.ambient = 0;
  return process;
}

}  // namespace

Result<RunningExec> Runtime::exec(const ExecRequest& request) const {
  const RunState state = TRY(read_state(request.run_dir));
  const auto not_running = [&] {
    return Error::conflict("container " + request.id + " is not running");
  };
  const auto pids = read_pids_file(request.run_dir);
  if (!pids.ok()) return not_running();
  auto init = open_process(pids->init);
  if (!init.ok()) return not_running();
  if (const auto frozen = state_->cgroups->is_frozen(state.cgroup); frozen.ok() && *frozen) {
    return Error::conflict("Container " + request.id +
                           " is paused, unpause the container before exec");
  }

  LaunchPlan plan;
  plan.flags = wire::kExec | (request.tty ? std::uint32_t{wire::kTty} : 0U);
  plan.id = request.id;
  plan.rows = request.rows;
  plan.cols = request.cols;
  const std::string stored = TRY(read_file(request.run_dir / "process"));
  plan.process = exec_process(TRY(decode_process(stored)), request);

  auto handles = state_->cgroups->open(state.cgroup);
  if (!handles.ok()) return not_running();
  ShimFds fds;
  for (const auto& task : handles->tasks)
    plan.tasks.push_back(static_cast<std::uint32_t>(fds.add(task.get())));
  plan.unified_fd = fds.add(handles->unified.get());
  plan.init_fd = fds.add(init->get());
  RunningExec running;
  Pipe in;
  Pipe out;
  Pipe err;
  if (!request.tty) {
    if (request.stdin_) in = TRY(make_pipe());
    if (request.stdout_) out = TRY(make_pipe());
    if (request.stderr_) err = TRY(make_pipe());
    plan.in_fd = fds.add(in.read.get());
    plan.out_fd = fds.add(out.write.get());
    plan.err_fd = fds.add(err.write.get());
  }
  auto launched = launch(state_->shim.get(), plan, fds, kExecPrefix);
  if (!launched.ok()) {
    // The container may have ended under the exec; then that is the reason, whatever call noticed
    // it first.
    if (!is_alive(init->get())) return not_running();
    return std::move(launched).error();
  }
  running.process = launched->process;
  running.shim_pid = launched->child.pid;
  running.shim_pidfd = std::move(launched->child.pidfd);
  running.terminal = std::move(launched->terminal);
  running.in = std::move(in.write);
  running.out = std::move(out.read);
  running.err = std::move(err.read);
  return running;
}

}  // namespace stack::runtime
