#include "netd/client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <optional>

#include "base/log.h"
#include "base/process.h"
#include "netd/wire.h"

namespace stack::netd {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t kWindow =
    64;  // requests under way; more wait here, so the socket buffer never fills for long
constexpr milliseconds kFirstDelay{20};
constexpr milliseconds kLongestDelay{1000};
constexpr milliseconds kConnectPoll{2};  // while a netd we started comes up
constexpr milliseconds kStable{5000};    // a connection that lasted this long ends the back-off

struct Known {
  std::optional<ContainerNames> names;
  std::shared_ptr<Fd> netns;
  std::vector<PublishedPort> ports;
};

struct Request {
  std::string bytes;  // with its sequence number
  std::uint32_t sequence = 0;
  std::shared_ptr<Fd> fd;
  std::function<void(std::optional<std::string> error)> done;  // no value: fine
};

}  // namespace

struct NetdClient::Impl {
  Impl(EventLoop& l, Options o) : loop(l), options(std::move(o)) {}

  EventLoop& loop;
  Options options;
  std::map<std::string, Known> containers;
  std::deque<Request> waiting;
  std::deque<Request> sent;
  std::uint32_t next_sequence = 1;
  Fd socket;
  Child child;
  EventLoop::Watch socket_watch;
  EventLoop::Watch child_watch;
  EventLoop::Timer retry;
  EventLoop::Timer flush_timer;
  std::function<void(bool)> state;
  milliseconds delay = kFirstDelay;
  std::chrono::steady_clock::time_point connected_at;
  bool started = false;
  bool ever_connected = false;
  int restarts = 0;

  void try_connect();
  void spawn_netd();
  void connected();
  void disconnected();
  void schedule(milliseconds wait);
  void read_replies();
  void flush();
  void replay();
  template <typename Body>
  void request(WireOp op, Body body, std::shared_ptr<Fd> fd,
               std::function<void(std::optional<std::string>)> done);
  void send_names(const Known& known, Done done);
  void send_ports(const std::string& id, const std::vector<PublishedPort>& ports, Done done);
};

void NetdClient::Impl::schedule(milliseconds wait) {
  retry = loop.after(wait, [this] { try_connect(); });
}

void NetdClient::Impl::try_connect() {
  if (!started || socket) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = options.socket_path;
  if (path.size() >= sizeof address.sun_path) {
    log_error("netd: the socket path {} is too long", path);
    return;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    socket = std::move(fd);
    connected();
    return;
  }
  if (child.pidfd) {
    schedule(kConnectPoll);  // it is still coming up; its end would wake us as well
  } else {
    spawn_netd();
  }
}

void NetdClient::Impl::spawn_netd() {
  SpawnOptions spawn_options;
  spawn_options.argv = {options.binary, "--socket", options.socket_path, "--resolv-conf",
                        options.resolv_conf};
  spawn_options.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};  // nothing of the user's environment
  auto spawned = spawn(spawn_options);
  if (!spawned.ok()) {
    log_error("netd: {}", spawned.error().to_string());
    schedule(delay);
    delay = std::min(delay * 2, kLongestDelay);
    return;
  }
  child = std::move(*spawned);
  if (ever_connected) ++restarts;
  child_watch = loop.on_readable(child.pidfd.get(), [this] {
    (void)reap(child.pidfd.get(), false);
    child_watch.cancel();
    child = Child();
    if (socket || !started) return;  // the end of the connection is noticed by itself
    schedule(delay);
    delay = std::min(delay * 2, kLongestDelay);
  });
  schedule(kConnectPoll);
}

void NetdClient::Impl::connected() {
  ever_connected = true;
  connected_at = std::chrono::steady_clock::now();
  socket_watch = loop.on_readable(socket.get(), [this] { read_replies(); });
  replay();
  flush();
  if (state) state(true);
}

void NetdClient::Impl::disconnected() {
  if (!socket) return;
  socket_watch.cancel();
  socket.reset();
  // A netd that lived for a while is started again at once, one that keeps dying after growing
  // pauses.
  const bool stable = std::chrono::steady_clock::now() - connected_at > kStable;
  if (stable) delay = kFirstDelay;
  if (started) {
    schedule(stable ? milliseconds(0) : delay);
    if (!stable) delay = std::min(delay * 2, kLongestDelay);
  }
  if (state) state(false);
}

template <typename Body>
void NetdClient::Impl::request(WireOp op, Body body, std::shared_ptr<Fd> fd,
                               std::function<void(std::optional<std::string>)> done) {
  Request r;
  r.sequence = next_sequence++;
  WireWriter writer(op, r.sequence);
  body(writer);
  r.bytes = writer.take();
  r.fd = std::move(fd);
  r.done = std::move(done);
  if (r.bytes.size() > kMaxWireMessage) {
    if (r.done) r.done("too many names for one container");
    return;
  }
  waiting.push_back(std::move(r));
  flush();
}

void NetdClient::Impl::flush() {
  while (socket && !waiting.empty() && sent.size() < kWindow) {
    Request& r = waiting.front();
    iovec part{r.bytes.data(), r.bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (r.fd && *r.fd) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      const int fd = r.fd->get();
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    if (::sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) {
        flush_timer = loop.after(milliseconds(1), [this] { flush(); });
      }
      return;  // a broken connection is noticed by its watch
    }
    sent.push_back(std::move(r));
    waiting.pop_front();
  }
}

void NetdClient::Impl::read_replies() {
  char buffer[4096];
  while (socket) {
    const ssize_t n = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n <= 0) {
      disconnected();
      return;
    }
    WireReader reader(std::string_view(buffer, static_cast<std::size_t>(n)));
    (void)reader.u8();
    const std::uint32_t sequence = reader.u32();
    const bool fine = reader.u8() != 0;
    std::string error = reader.text();
    if (!reader.ok() || sent.empty() || sent.front().sequence != sequence) continue;
    const auto done = std::move(sent.front().done);
    sent.pop_front();
    if (done) done(fine ? std::nullopt : std::optional<std::string>(std::move(error)));
  }
  flush();
}

// A fresh connection: everything known first, then what was not confirmed on the old one, in its
// order (it ends in the same state; all requests may be repeated).
void NetdClient::Impl::replay() {
  std::deque<Request> open = std::move(sent);
  for (Request& r : waiting) open.push_back(std::move(r));
  sent.clear();
  waiting.clear();
  const Fd held = std::exchange(socket, Fd());  // nothing leaves before the queue is complete
  request(
      WireOp::kHello, [](WireWriter& w) { w.u32(kWireVersion); }, nullptr,
      [](std::optional<std::string> error) {
        if (error) log_error("netd: {} than ours is running; restart it", *error);
      });
  for (const auto& [id, known] : containers) {
    if (known.names) {
      send_names(known, [id = id](Status s) {
        if (!s.ok()) log_warning("netd: container {}: {}", id.substr(0, 12), s.error().to_string());
      });
    }
    if (known.ports.empty()) continue;
    send_ports(id, known.ports, [id = id](Status s) {
      if (!s.ok()) log_warning("netd: container {}: {}", id.substr(0, 12), s.error().to_string());
    });
  }
  for (Request& r : open) {
    r.sequence = next_sequence++;
    std::memcpy(r.bytes.data() + 1, &r.sequence, sizeof r.sequence);
    waiting.push_back(std::move(r));
  }
  socket = Fd(const_cast<Fd&>(held).release());
}

void NetdClient::Impl::send_names(const Known& known, Done done) {
  request(
      WireOp::kSetContainer, [&](WireWriter& w) { write_names(w, *known.names); }, known.netns,
      [done = std::move(done), id = known.names->id](std::optional<std::string> error) {
        if (!done) return;
        done(error ? Status(Error::make(ErrorKind::kOs, "resolver of container " +
                                                            id.substr(0, 12) + ": " + *error))
                   : ok_status());
      });
}

void NetdClient::Impl::send_ports(const std::string& id, const std::vector<PublishedPort>& ports,
                                  Done done) {
  request(
      WireOp::kSetPublished,
      [&](WireWriter& w) {
        w.text(id);
        write_ports(w, ports);
      },
      nullptr,
      [done = std::move(done), ports](std::optional<std::string> error) {
        if (!done) return;
        if (!error) {
          done(ok_status());
          return;
        }
        Error e = Error::conflict(*error);
        if (error->ends_with("address already in use")) {
          for (const PublishedPort& p : ports) {
            const Status free = check_port_free(p.host_ip, p.host_port, p.protocol);
            if (!free.ok() &&
                error->find(":" + std::to_string(p.host_port) + ":") != std::string::npos) {
              e.remedy = free.error().remedy;
            }
          }
        }
        done(std::move(e));
      });
}

NetdClient::NetdClient(EventLoop& loop, Options options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}
NetdClient::~NetdClient() = default;

void NetdClient::start() {
  if (impl_->started) return;
  impl_->started = true;
  impl_->try_connect();
}

bool NetdClient::connected() const { return static_cast<bool>(impl_->socket); }
int NetdClient::restarts() const { return impl_->restarts; }
void NetdClient::on_state(std::function<void(bool)> callback) {
  impl_->state = std::move(callback);
}

void NetdClient::set_container(ContainerNames container, Fd netns, Done done) {
  Known& known = impl_->containers[container.id];
  known.names = std::move(container);
  if (netns) known.netns = std::make_shared<Fd>(std::move(netns));
  impl_->send_names(known, std::move(done));
}

void NetdClient::remove_container(const std::string& id, Done done) {
  impl_->containers.erase(id);
  impl_->request(
      WireOp::kRemoveContainer, [&](WireWriter& w) { w.text(id); }, nullptr,
      [done = std::move(done)](std::optional<std::string> error) {
        if (done) done(error ? Status(Error::make(ErrorKind::kOs, *error)) : ok_status());
      });
}

void NetdClient::set_published(const std::string& id, std::vector<PublishedPort> ports, Done done) {
  // Kept only once netd has them: a refused set must not come back with the next replay.
  impl_->send_ports(id, ports, [impl = impl_.get(), id, ports, done = std::move(done)](Status s) {
    if (s.ok()) {
      if (!ports.empty()) {
        impl->containers[id].ports = ports;
      } else if (const auto found = impl->containers.find(id); found != impl->containers.end()) {
        found->second.ports.clear();
      }
    }
    if (done) done(std::move(s));
  });
}

void NetdClient::hand_over(const std::string& from, const std::string& to,
                           std::vector<PublishedPort> ports, Done done) {
  impl_->request(
      WireOp::kHandOver,
      [&](WireWriter& w) {
        w.text(from);
        w.text(to);
        write_ports(w, ports);
      },
      nullptr,
      [impl = impl_.get(), from, to, ports,
       done = std::move(done)](std::optional<std::string> error) {
        if (error) return done(Error::conflict("failed to bind host port for " + *error));
        if (const auto giver = impl->containers.find(from); giver != impl->containers.end())
          giver->second.ports.clear();
        if (!ports.empty()) impl->containers[to].ports = ports;
        done(ok_status());
      });
}

void NetdClient::settle() {
  impl_->request(WireOp::kSettle, [](WireWriter&) {}, nullptr, {});
}

void NetdClient::shut_down(Done done) {
  impl_->started = false;
  if (!impl_->socket) {
    if (done) done(ok_status());
    return;
  }
  impl_->request(
      WireOp::kShutDown, [](WireWriter&) {}, nullptr,
      [done = std::move(done)](std::optional<std::string>) {
        if (done) done(ok_status());
      });
}

}  // namespace stack::netd
