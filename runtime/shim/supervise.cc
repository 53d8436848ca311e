#include "runtime/shim/supervise.h"

#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "runtime/shim/clients.h"
#include "runtime/shim/log_file.h"
#include "runtime/shim/sys.h"

namespace stack::shim {

namespace {

constexpr std::size_t kRead = 64U << 10U;
constexpr int kQuietMs = 2000;

alignas(4096) char g_read[kRead];
alignas(4096) char g_input[4096];
LogFile g_log;
Clients g_clients;

class Supervision {
 public:
  Supervision(const Keeper& keeper, Streams streams) : keeper_(keeper), streams_(streams) {}

  void run() {
    bool quiet = false;
    while (!ended_) {
      pollfd polls[8 + Clients::kMax];
      const Layout layout = fill(polls);
      const int ready = ::poll(polls, layout.count, hung_ ? 100 : quiet ? -1 : kQuietMs);
      if (ready == 0 && !quiet && !hung_) {  // nothing for a while: the buffers' memory goes back
        g_log.release_memory();
        ::madvise(g_read, sizeof g_read, MADV_DONTNEED);
        quiet = true;
      }
      hung_ = false;
      if (ready <= 0) continue;
      quiet = false;
      handle(polls, layout);
    }
    finish();
  }

 private:
  struct Layout {
    nfds_t count = 0;
    nfds_t clients = 0, client_count = 0;
  };

  Layout fill(pollfd* polls) {
    Layout layout;
    const bool reading = !g_clients.blocked();
    polls[0] = {keeper_.signals, POLLIN, 0};
    polls[1] = {keeper_.control, POLLIN, 0};
    polls[2] = {reading && !hung_ ? streams_.out : -1, POLLIN, 0};
    polls[3] = {reading ? streams_.err : -1, POLLIN, 0};
    polls[4] = {input_size_ > 0 ? streams_.in : -1, POLLOUT, 0};
    layout.clients = 5;
    layout.client_count = g_clients.poll_list(polls + 5, input_size_ == 0);
    layout.count = layout.clients + layout.client_count;
    return layout;
  }

  void handle(const pollfd* polls, const Layout& layout) {
    if (polls[2].revents != 0) read_stream(&streams_.out, false);
    if (polls[3].revents != 0 && !g_clients.blocked()) read_stream(&streams_.err, true);
    g_log.flush();
    if (polls[4].revents != 0) write_input();
    for (nfds_t i = 0; i < layout.client_count; ++i) {
      bool left = false;
      const std::size_t n = g_clients.handle(polls[layout.clients + i], g_input + input_size_,
                                             input_size_ == 0 ? sizeof g_input : 0, &left);
      if (n > 0) {
        input_size_ = n;
        write_input();
      }
      if (left && keeper_.stdin_once) close_input();
    }
    if (polls[1].revents != 0) control();
    if (polls[0].revents != 0) reap();
  }

  // False at the end of the stream or when nothing is there.
  bool read_stream(int* fd, bool is_stderr) {
    const ssize_t n = ::read(*fd, g_read, sizeof g_read);
    if (n > 0) {
      g_log.add(is_stderr, {g_read, static_cast<std::size_t>(n)});
      if (!g_clients.empty()) g_clients.send(is_stderr, {g_read, static_cast<std::size_t>(n)});
      return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (streams_.terminal) {
      // EIO: nobody has the terminal open just now; somebody may open it again.
      hung_ = true;
      return false;
    }
    g_log.finish(is_stderr);
    ::close(*fd);
    *fd = -1;
    return false;
  }

  void write_input() {
    if (streams_.in < 0) {
      input_size_ = 0;
      return;
    }
    const ssize_t n = ::write(streams_.in, g_input, input_size_);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      input_size_ = 0;
      if (!streams_.terminal) {
        ::close(streams_.in);
        streams_.in = -1;
      }
      return;
    }
    input_size_ -= static_cast<std::size_t>(n);
    std::memmove(g_input, g_input + n, input_size_);
    if (input_size_ == 0 && close_when_written_) close_input();
  }

  void close_input() {
    if (streams_.terminal || streams_.in < 0) return;
    if (input_size_ > 0) {
      close_when_written_ = true;
      return;
    }
    ::close(streams_.in);
    streams_.in = -1;
  }

  void control() {
    using runtime::wire::Control;
    runtime::wire::ControlRequest request;
    int fd = -1;
    const ssize_t n = receive_message(keeper_.control, &request, sizeof request, &fd, MSG_DONTWAIT);
    if (n == sizeof request && request.kind == Control::kAttach && fd >= 0) {
      attach(fd, request.a);
      return;
    }
    if (n == sizeof request && request.kind == Control::kResize && streams_.terminal) {
      const winsize size{static_cast<unsigned short>(request.a),
                         static_cast<unsigned short>(request.b), 0, 0};
      ::ioctl(streams_.in, TIOCSWINSZ, &size);
    }
    if (fd >= 0) ::close(fd);
  }

  // All that was read until now is in the log.
  static void attach(int fd, std::uint32_t flags) {
    using namespace runtime::wire;
    const bool wants_moment = (flags & kClientMoment) != 0;
    if (wants_moment) {
      timespec now{};
      ::clock_gettime(CLOCK_REALTIME, &now);
      Moment moment;
      moment.seconds = now.tv_sec;
      moment.nanoseconds = now.tv_nsec;
      (void)::send(fd, &moment, sizeof moment,
                   MSG_NOSIGNAL | MSG_DONTWAIT);  // a new socket has room
    }
    const std::size_t before = g_clients.count();
    g_clients.add(fd, flags);
    if (!wants_moment || g_clients.count() == before) return;
    for (const bool is_stderr : {false, true})
      g_clients.send_to_newest(is_stderr, g_log.unfinished(is_stderr));
  }

  void reap() {
    signalfd_siginfo drop[16];
    (void)!::read(keeper_.signals, drop, sizeof drop);
    for (;;) {
      siginfo_t info{};
      // __WALL would not be needed: all our children signal SIGCHLD.
      if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return;
      if (info.si_code != CLD_EXITED && info.si_code != CLD_KILLED && info.si_code != CLD_DUMPED) {
        // A child that asked to be traced (PTRACE_TRACEME) made us its tracer and stopped: let it
        // go on.
        ::ptrace(PTRACE_DETACH, info.si_pid, nullptr, nullptr);
        ::kill(info.si_pid, SIGCONT);
        continue;
      }
      if (info.si_pid == keeper_.init) {
        signal_ = info.si_code == CLD_EXITED ? 0 : info.si_status;
        code_ = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        ended_ = true;
      }
    }
  }

  bool killed_for_memory() const {
    char text[512];
    const ssize_t n = keeper_.oom < 0 ? -1 : ::pread(keeper_.oom, text, sizeof text - 1, 0);
    if (n <= 0) return false;
    const std::string_view all(text, static_cast<std::size_t>(n));
    const std::size_t at = all.find("oom_kill ");
    return at != std::string_view::npos && at + 9 < all.size() && all[at + 9] != '0';
  }

  // Everything that was written before the end is logged; then the record, and only then do we
  // leave.
  void finish() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const bool oom = killed_for_memory();
    if (!keeper_.own_pids && keeper_.unified >= 0) {
      const int fd = ::openat(keeper_.unified, "cgroup.kill", O_WRONLY | O_CLOEXEC);
      if (fd >= 0) {
        (void)write_text(fd, "1");
        ::close(fd);
      }
    }
    g_clients.settle();
    for (int* fd : {&streams_.out, &streams_.err}) {
      if (*fd < 0) continue;
      ::fcntl(*fd, F_SETFL, O_NONBLOCK);
      while (read_stream(fd, fd == &streams_.err)) {
        g_log.flush();
        g_clients.settle();
      }
      g_log.finish(fd == &streams_.err);
    }
    g_log.flush();
    Text<256> text;
    text << "code " << code_ << "\nsignal " << signal_ << "\noom " << (oom ? 1 : 0) << "\nseconds "
         << static_cast<long long>(now.tv_sec) << "\nnanoseconds "
         << static_cast<long long>(now.tv_nsec) << "\n";
    const int fd =
        ::openat(keeper_.run_dir, "exit.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
      (void)write_text(fd, text.view());
      ::fsync(fd);
      ::close(fd);
      ::renameat(keeper_.run_dir, "exit.tmp", keeper_.run_dir, "exit");
    }
    g_clients.close_all();
  }

  const Keeper keeper_;
  Streams streams_;
  bool ended_ = false;
  bool hung_ = false;
  int code_ = 0;
  int signal_ = 0;
  std::size_t input_size_ = 0;
  bool close_when_written_ = false;
};

}  // namespace

bool open_log(std::string_view path, std::uint64_t max_size, std::uint32_t max_file) {
  return g_log.open(path, max_size, max_file);
}

void add_client(int fd, std::uint32_t flags) { g_clients.add(fd, flags); }

void supervise(const Keeper& keeper, Streams streams) {
  g_clients.set_raw(streams.terminal);
  Supervision(keeper, streams).run();
}

}  // namespace stack::shim
