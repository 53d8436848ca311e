#include "runtime/container_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/files.h"

namespace stack::runtime {

namespace {

// The value of "key value" in a small text file.
std::string value_of(const std::string& text, const std::string& key) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, key.size() + 1, key + " ") == 0)
      return text.substr(at + key.size() + 1, end - at - key.size() - 1);
    at = end + 1;
  }
  return {};
}

Error read_failure(const FdMessage& message, const wire::ReportHead& head,
                   const std::string& prefix) {
  std::string text = message.bytes.substr(sizeof head);
  if (head.error != 0) text += ": " + errno_words(head.error);
  const bool runtime = head.stage != wire::Stage::kUser;
  Error error = Error::make(head.error != 0 ? ErrorKind::kOs : ErrorKind::kInvalid,
                            complete_start_message(runtime ? prefix + text : text));
  error.os_errno = head.error;
  return error;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

}  // namespace

Status write_state(const std::filesystem::path& run_dir, const RunState& state) {
  return write_file(run_dir / "state", "id " + state.id + "\ncgroup " + state.cgroup + "\n", 0600);
}

Result<RunState> read_state(const std::filesystem::path& run_dir) {
  auto text = read_file(run_dir / "state", 65536);
  if (!text.ok()) return Error::not_found("there is no container in " + run_dir.string());
  return RunState{value_of(*text, "id"), value_of(*text, "cgroup")};
}

Result<RunPids> read_pids_file(const std::filesystem::path& run_dir) {
  const auto text = read_file(run_dir / "pids", 4096);
  RunPids pids;
  long long shim = 0;
  long long init = 0;
  unsigned long long shim_start = 0;
  unsigned long long init_start = 0;
  if (!text.ok() || std::sscanf(text->c_str(), "shim %lld %llu init %lld %llu", &shim, &shim_start,
                                &init, &init_start) != 4) {
    return Error::not_found("the container in " + run_dir.string() + " is not running");
  }
  pids.shim = {static_cast<pid_t>(shim), shim_start};
  pids.init = {static_cast<pid_t>(init), init_start};
  return pids;
}

std::string default_cgroup_path(const StartRequest& request) {
  if (!request.spec.linux_.cgroups_path.empty() && request.spec.linux_.cgroups_path[0] == '/') {
    return request.spec.linux_.cgroups_path;
  }
  std::string parent = request.cgroup_parent.empty() ? "/stack" : request.cgroup_parent;
  if (parent[0] != '/') parent.insert(0, 1, '/');
  while (parent.size() > 1 && parent.back() == '/') parent.pop_back();
  return (parent == "/" ? "" : parent) + "/" + request.id;
}

Result<Fd> open_shim(const std::filesystem::path& binary) {
  Fd fd(::open_tree(AT_FDCWD, binary.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!fd) return Error::os(errno, "opening " + binary.string());
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(fd.get(), "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
    return Error::os(errno, "making " + binary.string() + " read-only");
  }
  return fd;
}

Result<Launched> launch(int shim_fd, const LaunchPlan& plan, const ShimFds& fds,
                        const std::string& prefix) {
  Fd memory(::memfd_create("stack-plan", MFD_CLOEXEC));
  if (!memory) return Error::os(errno, "memfd_create");
  TRY(write_all(memory.get(), encode(plan)));
  auto [ours, theirs] = TRY(make_socketpair(SOCK_SEQPACKET));
  SpawnOptions options;
  options.argv = {"stack-shim", plan.id};
  options.env = std::vector<std::string>();
  options.exec_fd = shim_fd;
  options.fds = {{memory.get(), 3}, {theirs.get(), 4}};
  options.fds.insert(options.fds.end(), fds.list().begin(), fds.list().end());
  Launched launched;
  launched.child = TRY(spawn(options));
  theirs.reset();
  auto message = receive_fds(ours.get(), wire::kMaxReport);
  if (!message.ok() || message->bytes.size() < sizeof(wire::ReportHead)) {
    (void)send_signal(launched.child.pidfd.get(), SIGKILL);
    (void)reap(launched.child.pidfd.get(), true);
    return Error::make(ErrorKind::kInternal, prefix + "stack-shim ended without a report");
  }
  wire::ReportHead head;
  std::memcpy(&head, message->bytes.data(), sizeof head);
  if (head.kind != wire::Report::kStarted) {
    (void)reap(launched.child.pidfd.get(), true);
    return read_failure(*message, head, prefix);
  }
  launched.process = {head.pid, head.start_time};
  if (!message->fds.empty()) launched.terminal = std::move(message->fds.front());
  return launched;
}

std::string errno_words(int error) {
  std::string text = std::strerror(error);
  // "Text file busy" and the like begin with a capital; Go's words do not.
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  if (error == ENOEXEC) return "exec format error";
  return text;
}

std::string complete_start_message(std::string message) {
  const std::string words = lower(message);
  if (contains(words, "permission denied")) return message;
  if (contains(words, "is a directory")) return message + ": permission denied";
  if (contains(words, "not a directory") && !contains(words, "cannot mkdir")) {
    return message +
           ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the "
           "specified host path exists and "
           "is the expected type";
  }
  return message;
}

int start_exit_code(std::string_view message) {
  const std::string words = lower(message);
  if (contains(words, "permission denied") || contains(words, "is a directory")) return 126;
  if (contains(words, "cannot mkdir: ")) return 128;  // the engine's own word, not the runtime's
  for (const char* part : {"not a directory", "executable file not found",
                           "no such file or directory", "system cannot find the file specified"}) {
    if (contains(words, part)) return 127;
  }
  return 128;
}

bool is_start_request_error(std::string_view message) { return start_exit_code(message) != 128; }

}  // namespace stack::runtime
