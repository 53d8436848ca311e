// The user's terminal: whether there is one, its size, raw mode for the time of an interactive
// session, and signals as descriptors.
#pragma once

#include <signal.h>
#include <termios.h>

#include <chrono>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace stack::cli {

struct WindowSize {
  unsigned columns = 80;
  unsigned rows = 24;
};

bool is_terminal(int fd);
// $COLUMNS and $LINES win over the terminal; nullopt when `fd` is none and they are not set.
std::optional<WindowSize> window_size(int fd);

// Keys reach us one by one and unechoed until the object ends.
class RawMode {
 public:
  static Result<RawMode> enter(int fd);
  RawMode(RawMode&& other) noexcept : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}
  RawMode& operator=(RawMode&&) = delete;
  ~RawMode();

 private:
  RawMode(int fd, const termios& before) : fd_(fd), before_(before) {}

  int fd_;
  termios before_;
};

// While it lives, these signals do not interrupt the program but make fd() readable.
class SignalWatch {
 public:
  static Result<SignalWatch> watch(std::initializer_list<int> signals);
  SignalWatch(SignalWatch&& other) noexcept = default;
  SignalWatch& operator=(SignalWatch&&) = delete;
  ~SignalWatch();

  int fd() const { return fd_.get(); }
  int take();  // the next signal, 0 when there is none

 private:
  SignalWatch(Fd fd, const sigset_t& before) : fd_(std::move(fd)), before_(before) {}

  Fd fd_;
  sigset_t before_;
};

// The descriptors of `fds` that can be read (or are at their end); none after the timeout. Negative
// ones are ignored. Returns also when `writable` takes bytes, without naming it for that.
std::vector<int> wait_readable(std::span<const int> fds,
                               std::optional<std::chrono::milliseconds> timeout, int writable = -1);

// Asks on stdout, as Compose does: on a terminal y, yes, true and 1 are yes; without one a line is
// read all the same.
bool confirm(std::string_view question);

}  // namespace stack::cli
