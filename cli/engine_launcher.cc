#include "cli/engine_launcher.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/fd.h"
#include "base/files.h"
#include "base/process.h"
#include "cli/api_client.h"

namespace stack::cli {

namespace {

constexpr std::size_t kShownLogLines = 8;
constexpr int kLockInEngine = 3;

std::string log_of(const EngineAddress& address) { return address.run_directory + "/stackd.log"; }

Result<std::string> engine_program(const LaunchOptions& options) {
  if (!options.program.empty()) return options.program;
  std::error_code ec;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ec);
  if (ec) return Error::os(ec.value(), "finding our own program");
  const std::string beside = self.parent_path() / "stackd";
  if (!exists(beside)) {
    return Error::not_found(fmt::format("the engine's program is missing: {}", beside))
        .fix("Install stack again: stack and stackd belong in one directory.");
  }
  return beside;
}

bool answers(const ApiClient& client) {
  const auto response = client.request("GET", "/_ping");
  return response.ok() && response->ok();
}

std::string last_lines(const std::string& path, std::size_t from) {
  const auto text = read_file(path);
  if (!text.ok() || text->size() <= from) return "";
  std::string tail = text->substr(from);
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  std::size_t at = tail.size();
  for (std::size_t i = 0; i < kShownLogLines && at != std::string::npos && at > 0; ++i)
    at = tail.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? tail : tail.substr(at + 1);
}

// Waiting for an engine, which takes some 20 ms to start: short pauses at first, a line on stderr once it takes long, an end.
class Patience {
 public:
  explicit Patience(const LaunchOptions& options) : options_(options) {}

  Status pause(const EngineAddress& address) {
    using namespace std::chrono_literals;
    const auto waited = std::chrono::steady_clock::now() - began_;
    if (!noticed_ && waited > options_.notice) {
      noticed_ = true;
      fmt::print(stderr,
                 "The engine is starting; after a power cut it unpacks images again. Its log: {}\n",
                 log_of(address));
    }
    if (waited > options_.timeout) {
      return Error::make(ErrorKind::kTimeout,
                         fmt::format("the engine did not answer at {} within {} seconds",
                                     address.socket, options_.timeout.count() / 1000))
          .fix(fmt::format("Look into its log, {}.", log_of(address)));
    }
    std::this_thread::sleep_for(waited < 100ms ? 1ms : 20ms);
    return ok_status();
  }

 private:
  const LaunchOptions& options_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  bool noticed_ = false;
};

// The engine keeps `lock` until it answers or ends, whatever becomes of us.
Status start(const EngineAddress& address, const LaunchOptions& options, const ApiClient& client,
             Fd lock, Patience patience) {
  const std::string program = TRY(engine_program(options));
  const std::string log_path = log_of(address);
  const Fd log = TRY(open_fd(log_path, O_WRONLY | O_CREAT | O_APPEND, 0640));
  const off_t log_end = ::lseek(log.get(), 0, SEEK_END);
  const auto log_start = static_cast<std::size_t>(log_end > 0 ? log_end : 0);
  SpawnOptions spawn_options;
  spawn_options.argv = {program, "--on-demand", "--start-lock", std::to_string(kLockInEngine)};
  spawn_options.fds = {
      {log.get(), STDOUT_FILENO}, {log.get(), STDERR_FILENO}, {lock.get(), kLockInEngine}};
  const Child child = TRY_WHILE(spawn(spawn_options), "starting the engine");
  lock.reset();
  while (!answers(client)) {
    const auto status = TRY(reap(child.pidfd.get(), false));
    if (status && !answers(client)) {
      const std::string why = status->signal != 0
                                  ? fmt::format("was killed by signal {}", status->signal)
                                  : fmt::format("exited with status {}", status->code);
      const std::string said = last_lines(log_path, log_start);
      return Error::make(ErrorKind::kUnavailable,
                         fmt::format("the engine ({}) {} while it was starting{}{}", program, why,
                                     said.empty() ? "" : ":\n", said))
          .fix(fmt::format("Its whole log is {}.", log_path));
    }
    TRY(patience.pause(address));
  }
  return ok_status();
}

}  // namespace

Result<EngineAddress> engine_address(const std::string& host) {
  const char* run = ::getenv("STACK_RUN");
  EngineAddress address;
  address.run_directory = run != nullptr && *run != '\0' ? run : "/run/stack";
  address.socket = address.run_directory + "/stack.sock";
  const char* variable = ::getenv("STACK_HOST");
  const std::string named = host.empty() && variable != nullptr ? variable : host;
  if (named.empty()) return address;
  std::string_view text = named;
  if (text.starts_with("unix://")) text.remove_prefix(7);
  if (!text.starts_with('/')) {
    return Error::invalid(fmt::format("{}{} is not the address of a unix socket",
                                      host.empty() ? "STACK_HOST=" : "--host ", named))
        .fix("Write it as unix:///path/to/stack.sock.");
  }
  address.may_start = text == address.socket;
  address.socket = text;
  return address;
}

Status ensure_engine(const EngineAddress& address, const LaunchOptions& options) {
  const ApiClient client(address.socket);
  // An answer, not only a connection: an engine that is ending still has its socket for a moment.
  if (address.may_start ? answers(client) : client.reachable()) return ok_status();
  if (!address.may_start) {
    return Error::make(ErrorKind::kUnavailable,
                       fmt::format("no engine answers at {}", address.socket))
        .fix(
            "STACK_HOST or --host names this socket; start what should listen there, or leave it "
            "out.");
  }
  TRY_WHILE(make_directories(address.run_directory, 0755), "preparing the engine's run directory");
  Patience patience(options);
  for (;;) {
    auto lock = lock_file(address.run_directory + "/start.lock", false);
    if (answers(client)) return ok_status();  // another command started it meanwhile
    if (lock.ok()) return start(address, options, client, std::move(lock).value(), patience);
    if (lock.error().kind != ErrorKind::kConflict)
      return Error(lock.error()).while_("starting the engine");
    TRY(patience.pause(address));
  }
}

}  // namespace stack::cli
