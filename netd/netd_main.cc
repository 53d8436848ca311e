// stack-netd: the resolver of all containers and the holder of published ports. Started by stackd,
// survives it, and is used by the next one. Knows only what it was told on its control socket;
// holds no state on disk.
//
//   stack-netd --socket PATH [--resolv-conf PATH]
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <set>

#include "netd/proxy.h"
#include "netd/resolver.h"
#include "netd/wire.h"

namespace stack::netd {
namespace {

constexpr std::int64_t kLonelyMs = 15000;  // nothing to do and nobody connected: end

struct Packet {
  std::string bytes;
  Fd fd;
};

// False at the end of the connection.
bool receive_packet(int socket, Packet* out) {
  static char buffer[kMaxWireMessage];
  char control[CMSG_SPACE(sizeof(int) * 4)];
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) return false;
  out->bytes.assign(buffer, static_cast<std::size_t>(n));
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      out->fd = Fd(fd);
    }
  }
  return true;
}

class Daemon final : public Handler {
 public:
  Daemon(Reactor& reactor, Resolver& resolver, Proxies& proxies, Fd listener)
      : reactor_(reactor), resolver_(resolver), proxies_(proxies), listener_(std::move(listener)) {}

  bool start() {
    reactor_.on_tick([this](std::int64_t now) { return tick(now); });
    idle_since_ = reactor_.now_ms();
    reactor_.wake_ticks();
    return reactor_.add(listener_.get(), EPOLLIN, this);
  }

  void on_event(int fd, std::uint32_t) override {
    if (fd == listener_.get()) {
      accept();
      return;
    }
    Packet packet;
    if (!receive_packet(fd, &packet)) {
      disconnect();
      return;
    }
    if (!packet.bytes.empty()) handle(packet);
  }

 private:
  void accept() {
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    ucred peer{};
    socklen_t size = sizeof peer;
    if (!client || ::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
    if (peer.uid != 0 && peer.uid != ::geteuid()) return;
    disconnect();  // the newest engine is the one that counts
    client_ = std::move(client);
    fresh_.clear();
    reactor_.add(client_.get(), EPOLLIN, this);
  }

  void disconnect() {
    reactor_.remove(client_.get());
    client_.reset();
    idle_since_ = reactor_.now_ms();
    reactor_.wake_ticks();
  }

  void handle(Packet& packet) {
    WireReader r(packet.bytes);
    const auto op = static_cast<WireOp>(r.u8());
    const std::uint32_t sequence = r.u32();
    std::string error;
    switch (op) {
      case WireOp::kHello:
        if (r.u32() != kWireVersion) error = "another version";
        break;
      case WireOp::kSetContainer: {
        ContainerNames names = read_names(r);
        const std::string id = names.id;
        if (r.ok()) error = resolver_.set(std::move(names), packet.fd ? packet.fd.get() : -1);
        if (error.empty()) fresh_.insert(id);
        break;
      }
      case WireOp::kRemoveContainer: {
        const std::string id = r.text();
        resolver_.remove(id);
        proxies_.remove(id);
        fresh_.erase(id);
        port_owners_.erase(id);
        break;
      }
      case WireOp::kSetPublished: {
        const std::string id = r.text();
        const std::vector<PublishedPort> ports = read_ports(r);
        if (r.ok()) error = proxies_.set(id, ports);
        if (error.empty()) {
          fresh_.insert(id);
          port_owners_.insert(id);
        }
        break;
      }
      case WireOp::kHandOver: {
        const std::string from = r.text();
        const std::string to = r.text();
        const std::vector<PublishedPort> ports = read_ports(r);
        if (r.ok()) error = proxies_.hand_over(from, to, ports);
        if (error.empty()) {
          port_owners_.erase(from);
          fresh_.insert(to);
          port_owners_.insert(to);
        }
        break;
      }
      case WireOp::kSettle:
        settle();
        break;
      case WireOp::kShutDown:
        reactor_.stop();
        break;
      default:
        error = "unknown request";
    }
    if (!r.ok()) error = "malformed request";
    WireWriter reply(WireOp::kReply, sequence);
    reply.u8(error.empty() ? 1 : 0);
    reply.text(error);
    const std::string bytes = reply.take();
    (void)::send(client_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  void settle() {
    std::vector<std::string> stale = resolver_.ids();
    stale.insert(stale.end(), port_owners_.begin(), port_owners_.end());
    for (const std::string& id : stale) {
      if (fresh_.contains(id)) continue;
      resolver_.remove(id);
      proxies_.remove(id);
      port_owners_.erase(id);
    }
  }

  bool tick(std::int64_t now) {
    const bool resolving = resolver_.tick(now);
    const bool proxying = proxies_.tick(now);
    const bool lonely = !client_ && resolver_.ids().empty() && port_owners_.empty();
    if (lonely && now - idle_since_ > kLonelyMs) reactor_.stop();
    return resolving || proxying || lonely;
  }

  Reactor& reactor_;
  Resolver& resolver_;
  Proxies& proxies_;
  Fd listener_;
  Fd client_;
  std::set<std::string> fresh_;        // set on this connection
  std::set<std::string> port_owners_;  // containers with published ports
  std::int64_t idle_since_ = 0;
};

int fail(const char* what) {
  std::fprintf(stderr, "stack-netd: %s: %s\n", what, std::strerror(errno));
  return 1;
}

Fd control_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return {};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  (void)::unlink(path.c_str());  // we hold the lock: nobody listens there
  ::umask(0077);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 8) != 0) {
    return {};
  }
  return fd;
}

int run(const std::string& path, const std::string& resolv_conf) {
  (void)::signal(SIGPIPE, SIG_IGN);
  (void)::prctl(PR_SET_DUMPABLE, 0);
  if (::chdir("/") != 0) return fail("/");
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
  const Fd lock(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail(path.c_str());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return 0;  // another one serves already
  const Fd home(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!home) return fail("/proc/self/ns/net");
  Fd listener = control_socket(path);
  if (!listener) return fail(path.c_str());

  Reactor reactor;
  Resolver resolver(reactor, home.get(), resolv_conf);
  Proxies proxies(reactor);
  Daemon daemon(reactor, resolver, proxies, std::move(listener));
  if (!daemon.start()) return fail("epoll");
  reactor.run();
  (void)::unlink(path.c_str());
  return 0;
}

}  // namespace
}  // namespace stack::netd

int main(int argc, char** argv) {
  std::string socket_path;
  std::string resolv_conf = "/etc/resolv.conf";
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--socket") == 0) socket_path = argv[i + 1];
    if (std::strcmp(argv[i], "--resolv-conf") == 0) resolv_conf = argv[i + 1];
  }
  if (socket_path.empty()) {
    std::fputs("usage: stack-netd --socket PATH [--resolv-conf PATH]\n", stderr);
    return 2;
  }
  return stack::netd::run(socket_path, resolv_conf);
}
