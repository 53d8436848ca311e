#include "cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace stack::cli {

namespace {
unsigned number_from_environment(const char* name) {
  const char* text = ::getenv(name);
  if (text == nullptr) return 0;
  const unsigned long value = std::strtoul(text, nullptr, 10);
  return value <= 100'000 ? static_cast<unsigned>(value) : 0;
}
}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

std::optional<WindowSize> window_size(int fd) {
  WindowSize size{number_from_environment("COLUMNS"), number_from_environment("LINES")};
  winsize window{};
  if (::ioctl(fd, TIOCGWINSZ, &window) == 0) {
    if (size.columns == 0) size.columns = window.ws_col;
    if (size.rows == 0) size.rows = window.ws_row;
  }
  if (size.columns == 0 && size.rows == 0) return std::nullopt;
  if (size.columns == 0) size.columns = WindowSize{}.columns;
  if (size.rows == 0) size.rows = WindowSize{}.rows;
  return size;
}

Result<RawMode> RawMode::enter(int fd) {
  termios before{};
  if (::tcgetattr(fd, &before) != 0) return Error::os(errno, "reading the terminal's settings");
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(fd, TCSADRAIN, &raw) != 0)
    return Error::os(errno, "switching the terminal to raw mode");
  return RawMode(fd, before);
}

RawMode::~RawMode() {
  if (fd_ >= 0) ::tcsetattr(fd_, TCSADRAIN, &before_);
}

Result<SignalWatch> SignalWatch::watch(std::initializer_list<int> signals) {
  sigset_t set;
  sigset_t before;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  if (::sigprocmask(SIG_BLOCK, &set, &before) != 0) return Error::os(errno, "blocking signals");
  Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) {
    const int err = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return Error::os(err, "signalfd");
  }
  return SignalWatch(std::move(fd), before);
}

SignalWatch::~SignalWatch() {
  if (!fd_) return;
  while (take() != 0) {
    // A signal that came too late must not end the program once it is unblocked.
  }
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int SignalWatch::take() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return 0;
  return static_cast<int>(info.ssi_signo);
}

std::vector<int> wait_readable(std::span<const int> fds,
                               std::optional<std::chrono::milliseconds> timeout, int writable) {
  std::vector<pollfd> polled;
  polled.reserve(fds.size() + 1);
  for (const int fd : fds) {
    if (fd >= 0) polled.push_back({fd, POLLIN, 0});
  }
  if (writable >= 0) polled.push_back({writable, POLLOUT, 0});
  const int milliseconds = timeout ? static_cast<int>(std::max<long>(0, timeout->count())) : -1;
  std::vector<int> ready;
  if (::poll(polled.data(), polled.size(), milliseconds) <= 0) return ready;
  for (const pollfd& entry : polled) {
    if (entry.revents != 0 && (entry.events & POLLIN) != 0) ready.push_back(entry.fd);
  }
  return ready;
}

bool confirm(std::string_view question) {
  const bool asked = is_terminal(STDIN_FILENO);
  std::string text(question);
  if (asked) text += " [yN] ";
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  std::string answer;
  char c = 0;
  while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') answer += c;
  std::transform(answer.begin(), answer.end(), answer.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return answer == "y" || answer == "yes" || answer == "t" || answer == "true" || answer == "1";
}

}  // namespace stack::cli
