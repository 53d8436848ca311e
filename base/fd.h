// Ownership of file descriptors. Everything is O_CLOEXEC from birth; what a child should inherit is
// passed on purpose.
#pragma once

#include <unistd.h>

#include <span>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace stack {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) ::close(fd_);  // no EINTR retry: Linux has freed it already, close(2)
    fd_ = -1;
  }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

Result<Fd> open_fd(const std::string& path, int flags, unsigned mode = 0);
Result<Pipe> make_pipe();
Result<std::pair<Fd, Fd>> make_socketpair(
    int type);  // AF_UNIX; type SOCK_STREAM, SOCK_SEQPACKET, ...
Result<Fd> duplicate(int fd);

// Writes everything, retrying on EINTR and short writes. Not for non-blocking descriptors.
Status write_all(int fd, std::string_view bytes);
// Reads until end of file, at most `limit` bytes (more is an error).
Result<std::string> read_all(int fd, std::size_t limit = 64U << 20U);

// One message with descriptors over a unix socket, unix(7) SCM_RIGHTS. At most 28 descriptors.
Status send_fds(int socket, std::string_view bytes, std::span<const int> fds);
struct FdMessage {
  std::string bytes;
  std::vector<Fd> fds;
};
// Empty bytes and no fds mean end of file.
Result<FdMessage> receive_fds(int socket, std::size_t max_bytes = 4096);

}  // namespace stack
