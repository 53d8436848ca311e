#include "cli/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

  void send(std::string_view bytes) {
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

// Both directions between the terminal and the process, and the signals for it.
class Session {
 public:
  static Result<Session> begin(int socket, const SessionOptions& options) {
    Session session(socket, options);
    if (options.signal) {
      session.signals_.emplace(
          TRY(SignalWatch::watch({SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2})));
    } else if (options.resize) {
      session.signals_.emplace(TRY(SignalWatch::watch({SIGWINCH})));
    }
    if (options.tty && options.input && is_terminal(STDIN_FILENO))
      session.raw_.emplace(TRY(RawMode::enter(STDIN_FILENO)));
    session.tell_size();
    return session;
  }

  Status show(std::string_view received) {
    return frames_.feed(received, [this](OutputStream stream, std::string_view bytes) {
      // Our reader may be gone; the process goes on until it ends.
      if (options_->output)
        (void)write_all(stream == OutputStream::kStderr ? STDERR_FILENO : STDOUT_FILENO, bytes);
    });
  }

  // Waits, and serves what is ready; how the session ended when it did.
  Result<std::optional<SessionEnd>> step() {
    const int signals = signals_ ? signals_->fd() : -1;
    const int fds[] = {socket_, input_.wants_more() ? STDIN_FILENO : -1, signals};
    for (const int fd : wait_readable(fds, std::nullopt, input_.waits() ? socket_ : -1)) {
      std::optional<SessionEnd> end;
      if (fd == signals) {
        take_signals();
      } else if (fd == socket_) {
        end = TRY(take_output());
      } else if (fd == STDIN_FILENO) {
        end = take_input();
      }
      if (end) return end;
    }
    input_.flush();
    return std::optional<SessionEnd>();
  }

 private:
  Session(int socket, const SessionOptions& options)
      : socket_(socket),
        options_(&options),
        frames_(options.tty),
        input_(socket, options.input),
        detach_keys_(options.detach_keys),
        buffer_(32768) {}

  void tell_size() const {
    if (!options_->resize) return;
    if (const auto size = window_size(STDOUT_FILENO)) options_->resize(*size);
  }

  void take_signals() {
    for (int signal = signals_->take(); signal != 0; signal = signals_->take()) {
      signal == SIGWINCH ? tell_size() : options_->signal(signal);
    }
  }

  Result<std::optional<SessionEnd>> take_output() {
    const ssize_t n = ::read(socket_, buffer_.data(), buffer_.size());
    if (n < 0 && errno == EINTR) return std::optional<SessionEnd>();
    if (n <= 0) return std::optional(SessionEnd::kClosed);
    TRY(show({buffer_.data(), static_cast<std::size_t>(n)}));
    return std::optional<SessionEnd>();
  }

  std::optional<SessionEnd> take_input() {
    const ssize_t n = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    if (n < 0 && errno == EINTR) return std::nullopt;
    std::string typed(buffer_.data(), static_cast<std::size_t>(n > 0 ? n : 0));
    if (raw_) {
      std::string forward;
      const bool detached = detach_keys_.feed(typed, forward);
      if (detached) {
        input_.send(forward);
        return SessionEnd::kDetached;
      }
      typed = std::move(forward);
    }
    n <= 0 ? input_.end() : input_.send(typed);
    return std::nullopt;
  }

  int socket_;
  const SessionOptions* options_;
  std::optional<SignalWatch> signals_;
  std::optional<RawMode> raw_;
  FrameDecoder frames_;
  Input input_;
  DetachKeys detach_keys_;
  std::vector<char> buffer_;
};

}  // namespace

Result<SessionEnd> run_session(Hijacked connection, const SessionOptions& options) {
  Session session = TRY(Session::begin(connection.socket.get(), options));
  if (!connection.early.empty()) TRY(session.show(connection.early));
  for (;;) {
    if (const auto end = TRY(session.step())) return *end;
  }
}

}  // namespace stack::cli
