// Further programs in a running container, attaching to its first one, and its root file system
// from outside.

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/files.h"
#include "engine/containers_impl.h"
#include "engine/init_files.h"
#include "images/overlay.h"
#include "images/store.h"

namespace stack::engine {

namespace {

// How long an exec can be asked about after its end, and waits to be started. Docker forgets ended
// ones every five minutes.
constexpr std::chrono::minutes kEndedExecKept{5};
constexpr std::chrono::minutes kUnstartedExecKept{60};

// The container may end while the work waits for its turn, and its number be another process's then.
Result<Fd> root_of_running(int pid, const std::filesystem::path& run_dir) {
  Fd root = TRY(open_fd(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY));
  const auto running = runtime::adopt(run_dir);
  if (!running.ok() || running->init.pid != pid)
    return Error::conflict("the container has stopped running");
  return root;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return words.size() == 1 ? out + " " : out;  // Docker's events have this trailing space
}

}  // namespace

void Containers::Impl::publish_exec(const Entry& entry, const char* action,
                                    const std::vector<std::string>& command,
                                    const std::string& exec_id) {
  publish(entry, action + (": " + joined(command)), {{"execID", exec_id}});
}

Result<Fd> Containers::attach(const std::string& name_or_id, AttachOptions options) {
  const Entry* entry = TRY(impl_->find(name_or_id));
  if (entry->c.status == RunState::kRemoving || entry->c.status == RunState::kDead) {
    return Error::conflict("You cannot attach to a stopped container, start it first");
  }
  if (!is_up(entry->c.status)) {
    auto pair = TRY(make_socketpair(SOCK_STREAM));
    auto& pending = impl_->get(entry->c.id)->pending_clients;
    std::erase_if(pending, [](const Entry::PendingClient& client) {
      pollfd state{client.socket.get(), 0, 0};
      return ::poll(&state, 1, 0) > 0 &&
             (state.revents & POLLHUP) != 0;  // it left before the start
    });
    pending.push_back({std::move(pair.second), options});
    return std::move(pair.first);
  }
  return runtime::attach(impl_->run_dir(entry->c.id),
                         {options.stdin_, options.stdout_, options.stderr_, options.tell_moment});
}

Status Containers::resize(const std::string& name_or_id, int rows, int columns) {
  const Entry* entry = TRY(impl_->find(name_or_id));
  if (!is_up(entry->c.status))
    return Error::conflict("container " + entry->c.id + " is not running");
  return runtime::resize(impl_->run_dir(entry->c.id), static_cast<std::uint16_t>(rows),
                         static_cast<std::uint16_t>(columns));
}

Result<std::string> Containers::create_exec(const std::string& name_or_id, ExecConfig config) {
  const Entry* entry = TRY(impl_->find(name_or_id));
  if (entry->c.status == RunState::kPaused) {
    return Error::conflict("Container " + name_or_id +
                           " is paused, unpause the container before exec");
  }
  if (entry->c.status == RunState::kRestarting) {
    return Error::conflict("Container " + name_or_id +
                           " is restarting, wait until the container is running");
  }
  if (!is_up(entry->c.status))
    return Error::conflict("container " + entry->c.id + " is not running");
  if (config.cmd.empty()) return Error::invalid("No exec command specified");
  ExecEntry exec;
  exec.state.id = random_hex(64);
  exec.state.container_id = entry->c.id;
  exec.state.config = std::move(config);
  exec.since = impl_->services.clock.now();
  std::erase_if(impl_->execs, [now = exec.since](const auto& item) {
    const ExecEntry& other = item.second;
    const Duration kept = other.state.exit_code ? kEndedExecKept : kUnstartedExecKept;
    return !other.state.running && now - other.since > kept;
  });
  const std::string id = exec.state.id;
  impl_->publish_exec(*entry, "exec_create", exec.state.config.cmd, id);
  impl_->execs.emplace(id, std::move(exec));
  return id;
}

Result<const ExecState*> Containers::find_exec(const std::string& exec_id) const {
  const auto it = impl_->execs.find(exec_id);
  if (it == impl_->execs.end()) return Error::not_found("No such exec instance: " + exec_id);
  return &it->second.state;
}

void Containers::when_exec_ended(const std::string& exec_id, std::function<void()> ended) {
  const auto it = impl_->execs.find(exec_id);
  if (it == impl_->execs.end() || it->second.state.exit_code) return ended();
  it->second.when_ended.push_back(std::move(ended));
}

void Containers::start_exec(const std::string& exec_id, Done<ExecStreams> done) {
  const auto it = impl_->execs.find(exec_id);
  if (it == impl_->execs.end()) return done(Error::not_found("No such exec instance: " + exec_id));
  const ExecState& state = it->second.state;
  if (state.running || state.exit_code)
    return done(Error::conflict("exec command " + exec_id + " has already run"));
  const Entry* entry = impl_->get(state.container_id);
  if (entry == nullptr || !is_up(entry->c.status))
    return done(Error::conflict("container " + state.container_id + " is not running"));
  runtime::ExecRequest request;
  request.id = state.container_id;
  request.run_dir = impl_->run_dir(state.container_id);
  request.args = state.config.cmd;
  request.env = state.config.env;
  request.cwd = state.config.working_dir;
  request.user = state.config.user;
  request.tty = state.config.tty;
  request.privileged = state.config.privileged;
  request.stdin_ = state.config.attach_stdin;
  request.stdout_ = state.config.attach_stdout;
  request.stderr_ = state.config.attach_stderr;
  it->second.state.running = true;
  impl_->publish_exec(*entry, "exec_start", state.config.cmd, exec_id);
  impl_->services.pool.run(
      [this, request] { return impl_->services.runtime.exec(request); },
      [this, exec_id, done = std::move(done)](Result<runtime::RunningExec> started) {
        const auto same = impl_->execs.find(exec_id);
        if (same == impl_->execs.end())
          return done(Error::not_found("No such exec instance: " + exec_id));
        ExecEntry& exec = same->second;
        if (!started.ok()) {
          exec.state.running = false;
          const int code = runtime::start_exit_code(started.error().message);
          exec.state.exit_code = code;
          exec.since = impl_->services.clock.now();
          return done(std::move(started).error());
        }
        exec.state.pid = started->process.pid;
        exec.shim_pidfd = std::move(started->shim_pidfd);
        ExecStreams streams;
        if (started->terminal) {
          auto copy = duplicate(started->terminal.get());
          if (copy.ok()) exec.terminal_copy = std::move(copy).value();
        }
        streams.terminal = std::move(started->terminal);
        streams.in = std::move(started->in);
        streams.out = std::move(started->out);
        streams.err = std::move(started->err);
        exec.exit_watch = impl_->services.loop.on_readable(exec.shim_pidfd.get(), [this, exec_id] {
          const auto ended = impl_->execs.find(exec_id);
          if (ended == impl_->execs.end()) return;
          ExecEntry& e = ended->second;
          auto status = reap(e.shim_pidfd.get(), false);
          e.state.exit_code = status.ok() && status->has_value() ? (*status)->code : 137;
          e.state.running = false;
          e.since = impl_->services.clock.now();
          e.exit_watch.cancel();
          e.shim_pidfd.reset();
          e.terminal_copy.reset();
          const auto callbacks = std::exchange(e.when_ended, {});
          for (const auto& callback : callbacks) callback();
          if (const Entry* container = impl_->get(e.state.container_id)) {
            impl_->publish(*container, "exec_die",
                           {{"execID", exec_id}, {"exitCode", std::to_string(*e.state.exit_code)}});
          }
        });
        done(std::move(streams));
      });
}

Status Containers::resize_exec(const std::string& exec_id, int rows, int columns) {
  const auto it = impl_->execs.find(exec_id);
  if (it == impl_->execs.end()) return Error::not_found("No such exec instance: " + exec_id);
  if (!it->second.terminal_copy) return ok_status();
  winsize size{};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  if (::ioctl(it->second.terminal_copy.get(), TIOCSWINSZ, &size) != 0)
    return Error::os(errno, "resizing a terminal");
  return ok_status();
}

void Containers::with_rootfs(const std::string& name_or_id,
                             std::function<Status(const std::filesystem::path&)> work,
                             Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  // In the queue, so that the container neither starts nor goes while its overlay is mounted from
  // outside.
  const auto operation = [this, id, work = std::move(work), done](Entry::Finished finished) {
    const Entry* entry = impl_->get(id);
    const int pid = entry->c.pid;
    auto lowers = impl_->services.store.layer_directories(entry->c.image_id);
    if (!lowers.ok()) {
      done(std::move(lowers).error());
      return finished();
    }
    const auto directory = impl_->directory(id);
    impl_->services.long_pool.run(
        [pid, lowers = std::move(lowers).value(), directory, run_dir = impl_->run_dir(id),
         work]() -> Status {
          if (pid == 0) TRY(add_init_files(directory / "upper", lowers));
          const Fd root =
              pid != 0
                  ? TRY(root_of_running(pid, run_dir))
                  : TRY(images::mount_overlay(lowers, directory / "upper", directory / "work"));
          return work("/proc/self/fd/" + std::to_string(root.get()));
        },
        [done, finished](Status worked) {
          if (worked.ok()) {
            done(Unit{});
          } else {
            done(std::move(worked).error());
          }
          finished();
        });
  };
  impl_->enqueue(id, operation, Impl::no_such_container(id, std::move(done)));
}

}  // namespace stack::engine
