#include "runtime/container.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "base/files.h"
#include "runtime/container_files.h"
#include "runtime/container_state.h"

namespace stack::runtime {

namespace {

// One datagram to the shim, maybe with a descriptor.
Status control(const std::filesystem::path& run_dir, const wire::ControlRequest& request, int fd) {
  Fd dir = TRY(open_fd(run_dir.string(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return Error::os(errno, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/sock", dir.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) {
      return Error::not_found("the container in " + run_dir.string() + " is not running");
    }
    return Error::os(errno, "reaching the shim of " + run_dir.string());
  }
  const std::string_view bytes(reinterpret_cast<const char*>(&request), sizeof request);
  if (fd >= 0) return send_fds(socket.get(), bytes, std::span<const int>(&fd, 1));
  return send_fds(socket.get(), bytes, {});
}

// Reaps the shim when it was our child; otherwise its parent has done so. Never touches another
// process of that pid.
void reap_shim(const ProcessId& id) {
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0)));
  if (!pidfd) return;
  const auto start = process_start_time(id.pid);
  if (start.ok() && *start == id.start_time) (void)reap(pidfd.get(), false);
}

std::vector<Stats::Network> read_networks(pid_t pid) {
  std::vector<Stats::Network> networks;
  const auto text = read_file("/proc/" + std::to_string(pid) + "/net/dev");
  if (!text.ok()) return networks;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    Stats::Network n;
    n.name = line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' '));
    if (n.name == "lo") continue;
    std::istringstream values(line.substr(colon + 1));
    std::uint64_t skip = 0;
    values >> n.rx_bytes >> n.rx_packets >> n.rx_errors >> n.rx_dropped >> skip >> skip >> skip >>
        skip >> n.tx_bytes >> n.tx_packets >> n.tx_errors >> n.tx_dropped;
    networks.push_back(std::move(n));
  }
  return networks;
}

}  // namespace

Runtime::Runtime(std::unique_ptr<State> state) : state_(std::move(state)) {}
Runtime::Runtime(Runtime&&) noexcept = default;
Runtime& Runtime::operator=(Runtime&&) noexcept = default;
Runtime::~Runtime() = default;

Status Runtime::pause(const std::filesystem::path& run_dir) const {
  const RunState state = TRY(read_state(run_dir));
  if (TRY(state_->cgroups->is_frozen(state.cgroup))) {
    return Error::conflict("Container " + state.id + " is already paused");
  }
  return state_->cgroups->freeze(state.cgroup, true);
}

Status Runtime::resume(const std::filesystem::path& run_dir) const {
  const RunState state = TRY(read_state(run_dir));
  if (!TRY(state_->cgroups->is_frozen(state.cgroup))) {
    return Error::conflict("Container " + state.id + " is not paused");
  }
  return state_->cgroups->freeze(state.cgroup, false);
}

Result<bool> Runtime::paused(const std::filesystem::path& run_dir) const {
  const RunState state = TRY(read_state(run_dir));
  return state_->cgroups->is_frozen(state.cgroup);
}

Status Runtime::update(const std::filesystem::path& run_dir, const Resources& resources) const {
  const RunState state = TRY(read_state(run_dir));
  return state_->cgroups->update(state.cgroup, resources);
}

Result<Stats> Runtime::stats(const std::filesystem::path& run_dir) const {
  const RunState state = TRY(read_state(run_dir));
  const RunPids pids = TRY(read_pids_file(run_dir));
  Stats stats = TRY(state_->cgroups->stats(state.cgroup));
  if (open_process(pids.init).ok()) stats.networks = read_networks(pids.init.pid);
  return stats;
}

Result<std::vector<pid_t>> Runtime::processes(const std::filesystem::path& run_dir) const {
  const RunState state = TRY(read_state(run_dir));
  return state_->cgroups->processes(state.cgroup);
}

Status Runtime::destroy(const std::string& id, const std::filesystem::path& run_dir) const {
  const auto state = read_state(run_dir);
  const std::string group = state.ok() && !state->cgroup.empty() ? state->cgroup : "/stack/" + id;
  (void)state_->cgroups->kill(group);
  if (const auto pids = read_pids_file(run_dir); pids.ok()) {
    if (const auto init = open_process(pids->init); init.ok())
      (void)send_signal(init->get(), SIGKILL);
    if (const auto shim = open_process(pids->shim); shim.ok()) {
      // It records the end and leaves by itself; one that does not within two seconds is stuck.
      pollfd p{shim->get(), POLLIN, 0};
      if (::poll(&p, 1, 2000) == 0) {
        (void)send_signal(shim->get(), SIGKILL);
        ::poll(&p, 1, 2000);
      }
    }
    reap_shim(pids->shim);
  }
  Status removed = state_->cgroups->remove(group);
  Status cleaned = remove_tree(run_dir);
  return removed.ok() ? std::move(cleaned) : std::move(removed);
}

Result<RunningContainer> adopt(const std::filesystem::path& run_dir) {
  const RunPids pids = TRY(read_pids_file(run_dir));
  RunningContainer running;
  running.shim = pids.shim;
  running.init = pids.init;
  running.shim_pidfd = TRY(open_process(pids.shim));
  // The shim may be about to record the end: with the program gone there is nothing to adopt.
  TRY(open_process(pids.init));
  return running;
}

Result<std::optional<ExitRecord>> read_exit(const std::filesystem::path& run_dir) {
  const auto text = read_file(run_dir / "exit", 4096);
  if (!text.ok()) {
    if (text.error().os_errno == ENOENT || text.error().kind == ErrorKind::kNotFound)
      return std::optional<ExitRecord>();
    return text.error();
  }
  ExitRecord record;
  int oom = 0;
  long long seconds = 0;
  long long nanoseconds = 0;
  if (std::sscanf(text->c_str(), "code %d signal %d oom %d seconds %lld nanoseconds %lld",
                  &record.code, &record.signal, &oom, &seconds, &nanoseconds) != 5) {
    return Error::make(ErrorKind::kInternal,
                       "the exit record in " + run_dir.string() + " is damaged");
  }
  record.oom_killed = oom != 0;
  record.finished = WallTime(std::chrono::duration_cast<WallTime::duration>(
      std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds)));
  return std::optional<ExitRecord>(record);
}

Result<Fd> attach(const std::filesystem::path& run_dir, const AttachRequest& request) {
  auto [ours, theirs] = TRY(make_socketpair(SOCK_STREAM));
  wire::ControlRequest message;
  message.kind = wire::Control::kAttach;
  message.a = (request.stdin_ ? wire::kClientStdin : 0U) |
              (request.stdout_ ? wire::kClientStdout : 0U) |
              (request.stderr_ ? wire::kClientStderr : 0U) |
              (request.tell_moment ? wire::kClientMoment : 0U);
  TRY(control(run_dir, message, theirs.get()));
  return std::move(ours);
}

std::optional<WallTime> moment_of_attachment(int socket) {
  constexpr int kLongestWaitMs = 2000;
  const wire::Moment expected;
  wire::Moment moment;
  pollfd readable{socket, POLLIN, 0};
  if (::poll(&readable, 1, kLongestWaitMs) != 1) return std::nullopt;
  // It is sent as one piece; what is something else stays for the reader of the stream.
  if (::recv(socket, &moment, sizeof moment, MSG_PEEK | MSG_DONTWAIT) != sizeof moment ||
      std::memcmp(moment.mark, expected.mark, sizeof moment.mark) != 0)
    return std::nullopt;
  (void)::recv(socket, &moment, sizeof moment, MSG_DONTWAIT);
  return WallTime(std::chrono::duration_cast<WallTime::duration>(
      std::chrono::seconds(moment.seconds) + std::chrono::nanoseconds(moment.nanoseconds)));
}

Status resize(const std::filesystem::path& run_dir, std::uint16_t rows, std::uint16_t cols) {
  wire::ControlRequest message;
  message.kind = wire::Control::kResize;
  message.a = rows;
  message.b = cols;
  return control(run_dir, message, -1);
}

Status signal(const std::filesystem::path& run_dir, int signal_number) {
  const RunPids pids = TRY(read_pids_file(run_dir));
  Fd init = TRY(open_process(pids.init));
  return send_signal(init.get(), signal_number);
}

}  // namespace stack::runtime
