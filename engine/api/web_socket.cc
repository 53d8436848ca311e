#include "engine/api/web_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>

namespace stack::engine::api {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using LocalSocket = asio::local::stream_protocol::socket;

namespace {

constexpr std::size_t kHeader = 8;
constexpr std::size_t kChunk = 32U << 10U;

class WebSocketRelay : public std::enable_shared_from_this<WebSocketRelay> {
 public:
  WebSocketRelay(LocalSocket client, Hijack with)
      : socket_(std::move(client)),
        container_(socket_.get_executor()),
        raw_(with.raw),
        take_input_(with.client_input),
        first_(std::move(with.first)),
        done_(std::move(with.done)) {
    if (with.duplex) container_.assign(with.duplex.release());
  }

  void start(const Request& request) {
    handshake_.method(beast::http::verb::get);
    handshake_.target(request.path);
    handshake_.version(11);
    for (const auto& [name, value] : request.headers) handshake_.set(name, value);
    socket_.binary(true);
    // A client that does not answer the end is not waited for.
    socket_.set_option(beast::websocket::stream_base::timeout{
        std::chrono::seconds(1), beast::websocket::stream_base::none(), false});
    socket_.async_accept(handshake_, [self = shared_from_this()](const error_code& ec) {
      if (ec || self->closed_) return self->close();
      self->read_client();
      if (self->first_.empty()) return self->read_container();
      self->send(self->first_);
    });
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    container_.close(ignored);
    beast::get_lowest_layer(socket_).close(ignored);
    if (done_) std::exchange(done_, nullptr)();
  }

 private:
  void read_container() {
    if (!container_.is_open()) return end();
    container_.async_read_some(asio::buffer(from_container_),
                               [self = shared_from_this()](const error_code& ec, std::size_t size) {
                                 if (self->closed_) return;
                                 if (ec) return self->end();
                                 self->send({self->from_container_.data(), size});
                               });
  }

  void send(std::string_view bytes) {
    out_ = raw_ ? std::string(bytes) : frames_.feed(bytes);
    if (out_.empty()) return read_container();
    socket_.async_write(asio::buffer(out_),
                        [self = shared_from_this()](const error_code& ec, std::size_t) {
                          if (ec) return self->close();
                          self->read_container();
                        });
  }

  void read_client() {
    socket_.async_read(from_client_,
                       [self = shared_from_this()](const error_code& ec, std::size_t) {
                         if (self->closed_) return;
                         if (ec) return self->close();
                         if (!self->take_input_ || !self->container_.is_open()) {
                           self->from_client_.clear();
                           return self->read_client();
                         }
                         asio::async_write(self->container_, self->from_client_.data(),
                                           [self](const error_code& failed, std::size_t) {
                                             self->from_client_.clear();
                                             if (failed)
                                               self->take_input_ = false;  // it reads no more
                                             self->read_client();
                                           });
                       });
  }

  // The container has ended, or its streams have.
  void end() {
    socket_.async_close(beast::websocket::close_code::normal,
                        [self = shared_from_this()](const error_code&) { self->close(); });
  }

  beast::websocket::stream<LocalSocket> socket_;
  asio::posix::stream_descriptor container_;
  beast::http::request<beast::http::empty_body> handshake_;
  beast::flat_buffer from_client_;
  std::array<char, kChunk> from_container_;
  std::string out_;
  FrameStripper frames_;
  bool raw_, take_input_, closed_ = false;
  std::string first_;  // what was written before
  std::function<void()> done_;
};

}  // namespace

std::string FrameStripper::feed(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    if (left_ > 0) {
      const auto size = std::min(left_, bytes.size());
      out.append(bytes.substr(0, size));
      bytes.remove_prefix(size);
      left_ -= size;
      continue;
    }
    const auto size = std::min(kHeader - header_.size(), bytes.size());
    header_.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    if (header_.size() < kHeader) break;
    for (std::size_t i = 4; i < kHeader; ++i)
      left_ = (left_ << 8U) | static_cast<unsigned char>(header_[i]);
    header_.clear();
  }
  return out;
}

std::function<void()> relay_web_socket(LocalSocket client, const Request& request, Hijack with) {
  const auto one = std::make_shared<WebSocketRelay>(std::move(client), std::move(with));
  one->start(request);
  return [weak = std::weak_ptr<WebSocketRelay>(one)] {
    if (const auto alive = weak.lock()) alive->close();
  };
}

Status check_web_socket(const Request& request) {
  if (request.header("upgrade") != "websocket" || request.header("sec-websocket-key").empty() ||
      request.header("sec-websocket-version") != "13")
    return Error::invalid("this endpoint speaks web socket: the request must be an upgrade to it");
  return ok_status();
}

}  // namespace stack::engine::api
