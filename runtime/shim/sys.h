// System calls that the C library lacks, and small text without heap. Everything in shim/ runs in a
// static program without heap, exceptions or locale, so that fifty of them together cost little
// memory.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace stack::shim {

inline int openat2(int dir, const char* path, std::uint64_t flags, std::uint64_t resolve,
                   std::uint64_t mode = 0) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  // EAGAIN: somebody renamed a directory on the way, openat2(2).
  for (int round = 0; round < 128; ++round) {
    const long fd = ::syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) return static_cast<int>(fd);
  }
  return -1;
}

// clone3(2) as a fork. With a group descriptor the child begins its life inside that cgroup;
// kernels or hosts that cannot do that make it an ordinary child.
inline pid_t fork_into(std::uint64_t flags, int cgroup_fd) {
  clone_args args{};
  args.flags = flags;
  args.exit_signal = SIGCHLD;
  if (cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

// A fixed buffer; what does not fit is cut off. Always NUL-terminated.
template <std::size_t N>
class Text {
 public:
  Text& operator<<(std::string_view part) {
    const std::size_t n = part.size() < N - 1 - size_ ? part.size() : N - 1 - size_;
    std::memcpy(data_ + size_, part.data(), n);
    size_ += n;
    data_[size_] = '\0';
    return *this;
  }
  Text& operator<<(long long value) {
    char digits[24];
    std::size_t at = sizeof digits;
    const bool negative = value < 0;
    auto rest = negative ? 0ULL - static_cast<unsigned long long>(value)
                         : static_cast<unsigned long long>(value);
    do {
      digits[--at] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest != 0);
    if (negative) digits[--at] = '-';
    return *this << std::string_view(digits + at, sizeof digits - at);
  }
  Text& operator<<(int value) { return *this << static_cast<long long>(value); }
  Text& operator<<(unsigned value) { return *this << static_cast<long long>(value); }
  Text& operator<<(unsigned long value) { return *this << static_cast<long long>(value); }
  const char* c_str() const { return data_; }
  std::string_view view() const { return {data_, size_}; }
  std::size_t size() const { return size_; }

 private:
  char data_[N] = {};
  std::size_t size_ = 0;
};

inline bool write_text(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// One message with at most one descriptor.
inline bool send_message(int socket, const void* data, std::size_t size, int fd = -1) {
  iovec part{const_cast<void*>(data), size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

// Size of the message, 0 at the end, -1 on error. *fd is -1 when none came.
inline ssize_t receive_message(int socket, void* data, std::size_t size, int* fd, int flags = 0) {
  iovec part{data, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  *fd = -1;
  ssize_t n = 0;
  do {
    n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return -1;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
      std::memcpy(fd, CMSG_DATA(head), sizeof *fd);
  }
  return n;
}

}  // namespace stack::shim
