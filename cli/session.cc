#include "cli/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/fd.h"
#include "cli/log_stream.h"

namespace stack::cli {

namespace {

// What is typed, on its way to the process. Never waits for the engine: a process that writes more
// than it reads is served only as long as its output is read.
class Input {
 public:
  Input(int socket, bool open) : socket_(socket), open_(open) {}

  bool wants_more() const { return open_ && pending_.empty(); }
  bool waits() const { return !pending_.empty(); }

  void send(std::string bytes) {
    pending_ += bytes;
    flush();
  }
  void flush() {
    while (!pending_.empty()) {
      const ssize_t n =
          ::send(socket_, pending_.data(), pending_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) {  // nobody reads it any more; the output goes on
        pending_.clear();
        return end();
      }
      pending_.erase(0, static_cast<std::size_t>(n));
    }
  }
  // End of file for the process; its output goes on.
  void end() {
    open_ = false;
    ::shutdown(socket_, SHUT_WR);
  }

 private:
  int socket_;
  bool open_;
  std::string pending_;
};

}  // namespace

Result<SessionEnd> run_session(Hijacked connection, const SessionOptions& options) {
  std::optional<SignalWatch> signals;
  if (options.signal) {
    signals.emplace(
        TRY(SignalWatch::watch({SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2})));
  } else if (options.resize) {
    signals.emplace(TRY(SignalWatch::watch({SIGWINCH})));
  }
  std::optional<RawMode> raw;
  if (options.tty && options.input && is_terminal(STDIN_FILENO))
    raw.emplace(TRY(RawMode::enter(STDIN_FILENO)));
  if (options.resize) {
    if (const auto size = window_size(STDOUT_FILENO)) options.resize(*size);
  }
  FrameDecoder frames(options.tty);
  const auto show = [&options](OutputStream stream, std::string_view bytes) {
    // Our reader may be gone; the process goes on until it ends.
    if (options.output)
      (void)write_all(stream == OutputStream::kStderr ? STDERR_FILENO : STDOUT_FILENO, bytes);
  };
  if (!connection.early.empty()) TRY(frames.feed(connection.early, show));
  const int socket = connection.socket.get();
  Input input(socket, options.input);
  DetachKeys detach_keys = options.detach_keys;
  char buffer[32768];
  for (;;) {
    const int fds[] = {socket, input.wants_more() ? STDIN_FILENO : -1,
                       signals ? signals->fd() : -1};
    for (const int fd : wait_readable(fds, std::nullopt, input.waits() ? socket : -1)) {
      if (signals && fd == signals->fd()) {
        for (int signal = signals->take(); signal != 0; signal = signals->take()) {
          if (signal != SIGWINCH) {
            options.signal(signal);
          } else if (const auto size = window_size(STDOUT_FILENO); size && options.resize) {
            options.resize(*size);
          }
        }
      } else if (fd == socket) {
        const ssize_t n = ::read(socket, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return SessionEnd::kClosed;
        TRY(frames.feed(std::string_view(buffer, static_cast<std::size_t>(n)), show));
      } else if (fd == STDIN_FILENO) {
        const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        std::string typed(buffer, static_cast<std::size_t>(n > 0 ? n : 0));
        if (raw) {
          std::string forward;
          const bool detached = detach_keys.feed(typed, forward);
          if (detached) {
            input.send(std::move(forward));
            return SessionEnd::kDetached;
          }
          typed = std::move(forward);
        }
        if (n <= 0) {
          input.end();
        } else {
          input.send(std::move(typed));
        }
      }
    }
    input.flush();
  }
}

}  // namespace stack::cli
