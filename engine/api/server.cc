#include "engine/api/server.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <list>

#include "base/log.h"
#include "engine/api/connection.h"

namespace stack::engine::api {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

struct HttpServer::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(EventLoop& loop) : acceptor(loop.asio()), retry(loop.asio()) {}

  stream_protocol::acceptor acceptor;
  asio::steady_timer retry;
  std::filesystem::path path;
  std::shared_ptr<ConnectionHost> host;
  std::list<std::weak_ptr<Connection>> connections;
  std::size_t active = 0;
  std::chrono::steady_clock::time_point last_activity = std::chrono::steady_clock::now();

  void accept();
  void forget_closed();
};

namespace {

// A socket file that answers belongs to a living server.
bool somebody_listens(const std::string& path) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void give_to_group(const std::string& path) {
  for (const char* name : {"docker", "stack"}) {
    std::vector<char> buffer(4096);
    ::group entry{};
    ::group* found = nullptr;
    if (::getgrnam_r(name, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
      if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) == 0) return;
    }
  }
}

}  // namespace

void HttpServer::Impl::forget_closed() {
  connections.remove_if([](const auto& weak) { return weak.expired(); });
}

void HttpServer::Impl::accept() {
  acceptor.async_accept(
      [weak = weak_from_this()](const error_code& ec, stream_protocol::socket socket) {
        const auto self = weak.lock();
        if (!self || ec == asio::error::operation_aborted) return;
        if (ec) {  // out of descriptors, most likely: wait for some to be closed
          log_warning("accepting a connection: {}", ec.message());
          self->retry.expires_after(std::chrono::milliseconds(100));
          self->retry.async_wait([weak](const error_code& failed) {
            const auto again = weak.lock();
            if (again && !failed) again->accept();
          });
          return;
        }
        ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
        if (self->connections.size() % 64 == 63) self->forget_closed();
        const auto connection = make_connection(std::move(socket), self->host);
        self->connections.push_back(connection);
        start(connection);
        self->accept();
      });
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop& loop,
                                                       const std::filesystem::path& socket,
                                                       Router router, ServerLimits limits) {
  if (socket.string().size() >= sizeof(sockaddr_un::sun_path)) {
    return Error::invalid("the socket path " + socket.string() + " is longer than 107 bytes");
  }
  if (std::filesystem::exists(socket)) {
    if (somebody_listens(socket))
      return Error::conflict("another server listens on " + socket.string());
    (void)::unlink(socket.c_str());  // bind() reports what matters
  }
  ::signal(SIGPIPE, SIG_IGN);
  auto impl = std::make_shared<Impl>(loop);
  impl->path = socket;
  impl->host = std::make_shared<ConnectionHost>();
  impl->host->router = std::move(router);
  impl->host->limits = limits;
  impl->host->active_changed = [weak = std::weak_ptr<Impl>(impl)](int change) {
    const auto self = weak.lock();
    if (!self) return;
    self->active += static_cast<std::size_t>(change);
    self->last_activity = std::chrono::steady_clock::now();
  };
  try {
    // The mode is set before anybody can connect: an unlistened socket refuses.
    impl->acceptor.open();
    ::fcntl(impl->acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    impl->acceptor.bind(stream_protocol::endpoint(socket.string()));
    if (::chmod(socket.c_str(), 0660) != 0)
      return Error::os(errno, "setting the mode of " + socket.string());
    give_to_group(socket);
    impl->acceptor.listen(1024);
  } catch (const boost::system::system_error& e) {
    return Error::os(e.code().value(), "listening on " + socket.string());
  }
  impl->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  error_code ignored;
  impl_->acceptor.close(ignored);
  for (const auto& weak : impl_->connections) {
    if (const auto connection = weak.lock()) close(connection);
  }
  const auto relays = impl_->host->relays;  // each takes itself out
  for (const auto& [id, end] : relays) {
    if (end) end();
  }
  (void)::unlink(impl_->path.c_str());
}

std::size_t HttpServer::connections() const {
  impl_->forget_closed();
  return impl_->connections.size();
}
std::size_t HttpServer::active() const { return impl_->active; }
std::chrono::steady_clock::time_point HttpServer::last_activity() const {
  return impl_->last_activity;
}

}  // namespace stack::engine::api
