#include "engine/native_probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>

#include "images/copy.h"

namespace stack::engine {

namespace {

using Kind = ProbeTarget::Kind;
constexpr std::size_t kKeptBytes = 4096;  // Docker keeps so much of a probe's output

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find_first_of("\r\n")));
}

std::string host_of(const ProbeTarget& target) {
  const bool v6 = target.address.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", target.address, v6 ? "]" : "", target.port);
}

std::string request_of(const ProbeTarget& target) {
  if (target.kind == Kind::kRedis) return "PING\r\n";
  if (target.kind != Kind::kHttp) return {};
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: stack-probe\r\nAccept: */*\r\n"
      "Connection: close\r\n\r\n",
      target.path, host_of(target));
}

std::string name_of(const ProbeTarget& target) {
  return target.kind == Kind::kUnix ? target.path : host_of(target);
}

ProbeVerdict judge_http(std::string_view received) {
  const std::string line = first_line(received);
  int status = 0;
  if (std::sscanf(line.c_str(), "HTTP/%*1d.%*1d %3d", &status) != 1)
    return {1, "not an HTTP answer: " + line};
  return {status >= 200 && status < 400 ? 0 : 1, line};
}

// NOAUTH: it is up and wants a password of whoever wants more than to know that.
ProbeVerdict judge_redis(std::string_view received) {
  const std::string line = first_line(received);
  return {line == "+PONG" || line.rfind("-NOAUTH", 0) == 0 ? 0 : 1, line};
}

Result<Fd> connect_unix(const ProbeTarget& target, pid_t container) {
  const Fd root =
      TRY(open_fd("/proc/" + std::to_string(container) + "/root", O_PATH | O_DIRECTORY));
  // Opened inside the container's root, whatever links lead there, and then named by descriptor.
  const Fd file = TRY(images::open_in_root(root.get(), target.path, O_PATH));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "/proc/self/fd/" + std::to_string(file.get());
  std::memcpy(address.sun_path, name.c_str(), name.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return Error::os(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Error::os(errno, "connecting to " + target.path);
  return socket;
}

Result<Fd> connect_inet(const ProbeTarget& target) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const bool is_v4 = ::inet_pton(AF_INET, target.address.c_str(), &v4.sin_addr) == 1;
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(static_cast<std::uint16_t>(target.port));
  if (!is_v4 && ::inet_pton(AF_INET6, target.address.c_str(), &v6.sin6_addr) != 1)
    return Error::invalid(target.address + " is not an IP address");
  Fd socket(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     IPPROTO_TCP));
  if (!socket) return Error::os(errno, "socket");
  // The end that closes first waits in TIME_WAIT; a reset leaves nothing behind, in the container
  // or here, however often we ask.
  const linger reset{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  const int connected =
      is_v4 ? ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof v4)
            : ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  if (connected != 0 && errno != EINPROGRESS)
    return Error::os(errno, "connecting to " + host_of(target));
  return socket;
}

}  // namespace

Result<ProbeTarget> parse_probe(std::string_view uri) {
  const auto wrong = [&] { return Error::invalid(fmt::format("\"{}\" is no probe", uri)); };
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return wrong();
  const std::string_view scheme = uri.substr(0, colon);
  std::string_view rest = uri.substr(colon + 3);
  ProbeTarget target;
  if (scheme == "unix") {
    target.kind = Kind::kUnix;
    target.path = rest;
    return rest.empty() || rest[0] != '/' ? Result<ProbeTarget>(wrong()) : target;
  }
  if (scheme == "http") {
    target.kind = Kind::kHttp;
    const std::size_t slash = rest.find('/');
    target.path = slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
    if (target.path.find_first_of(" \r\n") != std::string::npos) return wrong();
    rest = rest.substr(0, slash);
  } else if (scheme == "redis") {
    target.kind = Kind::kRedis;
  } else if (scheme != "tcp") {
    return wrong();
  }
  const std::size_t port = rest.rfind(':');
  if (port == std::string_view::npos) return wrong();
  target.port = std::atoi(std::string(rest.substr(port + 1)).c_str());
  target.address = rest.substr(0, port);
  if (target.address.size() > 2 && target.address.front() == '[')
    target.address = target.address.substr(1, target.address.size() - 2);
  if (target.port < 1 || target.port > 65535) return wrong();
  return target;
}

std::optional<ProbeVerdict> judge_answer(const ProbeTarget& target, std::string_view received,
                                         bool ended) {
  if (target.kind == Kind::kTcp || target.kind == Kind::kUnix)
    return ProbeVerdict{0, "connected to " + name_of(target)};
  if (received.find('\n') == std::string_view::npos && received.size() < kKeptBytes) {
    if (!ended) return std::nullopt;
    return ProbeVerdict{1, name_of(target) + " closed the connection without an answer"};
  }
  return target.kind == Kind::kHttp ? judge_http(received) : judge_redis(received);
}

Result<Fd> connect_probe(const ProbeTarget& target, pid_t container, int own_netns) {
  if (target.kind == Kind::kUnix) return connect_unix(target, container);
  const Fd netns = TRY(open_fd("/proc/" + std::to_string(container) + "/ns/net", O_RDONLY));
  if (::setns(netns.get(), CLONE_NEWNET) != 0)
    return Error::os(errno, "entering a network namespace");
  auto socket = connect_inet(target);
  // Not to be what keeps the namespace alive. When this fails the next probe sets it right.
  (void)::setns(own_netns, CLONE_NEWNET);
  return socket;
}

struct NativeProbe::State : std::enable_shared_from_this<State> {
  State(EventLoop& loop, Fd socket, ProbeTarget wanted, std::function<void(ProbeVerdict)> then)
      : descriptor(loop.asio(), socket.release()),
        target(std::move(wanted)),
        done(std::move(then)) {}

  boost::asio::posix::stream_descriptor descriptor;
  ProbeTarget target;
  std::function<void(ProbeVerdict)> done;
  std::string received;

  void finish(ProbeVerdict verdict) {
    if (!done) return;
    auto call = std::exchange(done, nullptr);
    boost::system::error_code ignored;
    descriptor.close(ignored);
    call(std::move(verdict));
  }
  void connected();
  void read();
  // Being woken is a hint: see base/event_loop.cc.
  void wait(short events, void (State::*next)()) {
    using boost::asio::posix::stream_descriptor;
    const auto what =
        events == POLLIN ? stream_descriptor::wait_read : stream_descriptor::wait_write;
    descriptor.async_wait(what, [self = shared_from_this(), events, next](const auto& error) {
      if (error || !self->done) return;
      pollfd now{self->descriptor.native_handle(), events, 0};
      ::poll(&now, 1, 0) == 0 ? self->wait(events, next) : (self.get()->*next)();
    });
  }
};

void NativeProbe::State::connected() {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(descriptor.native_handle(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0)
    return finish({1, fmt::format("connecting to {}: {}", name_of(target), std::strerror(error))});
  if (auto verdict = judge_answer(target, {}, false)) return finish(std::move(*verdict));
  const std::string request = request_of(target);  // fits into any socket's buffer
  if (::send(descriptor.native_handle(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return finish({1, fmt::format("asking {}: {}", name_of(target), std::strerror(errno))});
  wait(POLLIN, &State::read);
}

void NativeProbe::State::read() {
  char buffer[kKeptBytes];
  const ssize_t n = ::recv(descriptor.native_handle(), buffer, sizeof buffer, 0);
  if (n < 0 && errno != EAGAIN && errno != EINTR)
    return finish({1, fmt::format("reading from {}: {}", name_of(target), std::strerror(errno))});
  if (n > 0) received.append(buffer, static_cast<std::size_t>(n));
  if (auto verdict = judge_answer(target, received, n == 0)) return finish(std::move(*verdict));
  wait(POLLIN, &State::read);
}

NativeProbe::NativeProbe(EventLoop& loop, Fd socket, ProbeTarget target,
                         std::function<void(ProbeVerdict)> done)
    : state_(std::make_shared<State>(loop, std::move(socket), std::move(target), std::move(done))) {
  state_->wait(POLLOUT, &State::connected);
}

NativeProbe::~NativeProbe() {
  state_->done = nullptr;
  boost::system::error_code ignored;
  state_->descriptor.close(ignored);
}

}  // namespace stack::engine
