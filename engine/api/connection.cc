#include "engine/api/connection.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <deque>

#include "engine/api/hijack.h"
#include "engine/api/respond.h"
#include "engine/api/response_head.h"
#include "engine/api/web_socket.h"

namespace stack::engine::api {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using LocalSocket = asio::local::stream_protocol::socket;

namespace {
constexpr std::size_t kChunk = 64U << 10U;
constexpr std::size_t kDiscardLimit = 64U << 20U;
}  // namespace

class ExchangeImpl;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(LocalSocket socket, std::shared_ptr<ConnectionHost> host)
      : host_(std::move(host)), socket_(std::move(socket)), timer_(socket_.get_executor()) {}
  ~Connection() { set_active(false); }

  void read_request();
  void close();

 private:
  friend class ExchangeImpl;
  void read_header();
  void on_header(const error_code& ec);
  void dispatch();
  void refuse(int status, std::string_view message);
  void read_body(std::function<void(std::string_view)> chunk,
                 std::function<void(bool complete)> done);
  void drain_body(std::size_t left);
  void pump_body(std::shared_ptr<asio::posix::stream_descriptor> sink,
                 std::function<void(Status)> done);
  void send(std::string bytes);
  void flush();
  void answer_written();
  void watch_client();
  void client_left();
  void set_active(bool active);
  void hijack(const Request& request, Hijack with);

  std::shared_ptr<ConnectionHost> host_;
  LocalSocket socket_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::buffer_body>> parser_;
  std::vector<char> chunk_;
  const Route* route_ = nullptr;
  Request request_;
  std::weak_ptr<ExchangeImpl> exchange_;

  std::deque<std::string> out_, in_flight_;
  std::size_t queued_ = 0;
  bool keep_alive_ = true, expects_continue_ = false, reading_body_ = false;
  bool answered_ = false;  // the whole answer is in the queue
  bool watching_ = false, closed_ = false, active_ = false;
};

class ExchangeImpl final : public Exchange, public std::enable_shared_from_this<ExchangeImpl> {
 public:
  ExchangeImpl(std::shared_ptr<Connection> connection, Request request)
      : connection_(std::move(connection)), request_(std::move(request)) {}
  ~ExchangeImpl() override {
    if (over_ || closed()) return;
    if (begun_) {
      abort();
    } else {
      respond(500, "application/json", error_body("the request was given up"));
    }
  }

  const Request& request() const override { return request_; }
  bool begun() const override { return begun_; }
  bool closed() const override { return connection_->closed_; }
  std::size_t queued() const override { return connection_->queued_; }

  void respond(int status, std::string_view content_type, std::string body,
               Headers extra = {}) override {
    if (over_ || begun_ || closed()) return;
    ResponseHead head = head_of(status, content_type, std::move(extra));
    head.content_length = body.size();
    std::string bytes = to_string(head, connection_->host_->router.common_headers);
    if (request_.method != "HEAD" && has_body(status)) bytes += body;
    complete(std::move(bytes));
  }

  void begin(int status, std::string_view content_type, Headers extra = {}) override {
    if (over_ || begun_ || closed()) return;
    begun_ = true;
    ResponseHead head = head_of(status, content_type, std::move(extra));
    chunked_ = connection_->parser_->get().version() >= 11;
    head.chunked = chunked_;
    if (!chunked_) connection_->keep_alive_ = head.keep_alive = false;
    connection_->send(to_string(head, connection_->host_->router.common_headers));
  }

  void write(std::string bytes) override {
    if (over_ || !begun_ || closed() || bytes.empty() || request_.method == "HEAD") return;
    if (chunked_) bytes = fmt::format("{:x}\r\n", bytes.size()) + bytes + "\r\n";
    connection_->send(std::move(bytes));
  }

  void finish() override {
    if (over_ || !begun_ || closed()) return;
    complete(chunked_ && request_.method != "HEAD" ? "0\r\n\r\n" : "");
  }

  void abort() override {
    over_ = true;
    drop_callbacks();
    connection_->close();
  }

  void on_drain(std::function<void()> fn) override { drain_ = std::move(fn); }
  void on_close(std::function<void()> fn) override {
    if (closed()) {
      fn();
    } else if (!over_) {
      close_ = std::move(fn);
    }
  }

  void receive_body(Fd sink, std::function<void(Status)> done) override {
    if (closed()) return done(Error::make(ErrorKind::kCancelled, "the client has gone"));
    const auto target = std::make_shared<asio::posix::stream_descriptor>(
        connection_->socket_.get_executor(), sink.release());
    connection_->pump_body(target, std::move(done));
  }

  void hijack(Hijack with) override {
    if (over_ || begun_ || closed()) return;
    over_ = true;
    drop_callbacks();
    connection_->hijack(request_, std::move(with));
  }

  void drained() {
    if (!drain_ || over_) return;
    const auto fn = drain_;  // it may set another
    fn();
  }
  void client_left() {
    const auto fn = std::exchange(close_, nullptr);
    drain_ = nullptr;
    if (fn) fn();
  }

 private:
  ResponseHead head_of(int status, std::string_view content_type, Headers extra) const {
    ResponseHead head;
    head.status = status;
    head.content_type = content_type;
    head.extra = std::move(extra);
    head.keep_alive = connection_->keep_alive_;
    return head;
  }
  void complete(std::string bytes) {
    over_ = true;
    drop_callbacks();
    connection_->answered_ = true;
    connection_->send(std::move(bytes));
  }
  // They hold what holds us.
  void drop_callbacks() {
    const auto close = std::exchange(close_, nullptr);
    const auto drain = std::exchange(drain_, nullptr);
  }

  std::shared_ptr<Connection> connection_;
  Request request_;
  bool begun_ = false, chunked_ = false, over_ = false;
  std::function<void()> drain_, close_;
};

void Connection::set_active(bool active) {
  if (active == active_) return;
  active_ = active;
  host_->active_changed(active ? 1 : -1);
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  error_code ignored;
  timer_.cancel();
  socket_.close(ignored);
  set_active(false);
  if (const auto exchange = exchange_.lock()) exchange->client_left();
}

// An idle client costs no timer; with the first byte the time for the header runs.
void Connection::read_request() {
  set_active(false);
  answered_ = false;
  if (buffer_.size() > 0) return read_header();
  std::vector<char>().swap(chunk_);
  socket_.async_wait(LocalSocket::wait_read, [self = shared_from_this()](const error_code& ec) {
    if (!ec && !self->closed_) self->read_header();
  });
}

void Connection::read_header() {
  set_active(true);
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(host_->limits.header_bytes));
  parser_->body_limit(boost::none);
  timer_.expires_after(host_->limits.header_time);
  timer_.async_wait([weak = weak_from_this()](const error_code& ec) {
    const auto self = weak.lock();
    if (!ec && self) self->close();
  });
  http::async_read_header(socket_, buffer_, *parser_,
                          [self = shared_from_this()](const error_code& ec, std::size_t) {
                            self->timer_.cancel();
                            if (!self->closed_) self->on_header(ec);
                          });
}

void Connection::on_header(const error_code& ec) {
  if (ec == http::error::header_limit) return refuse(431, "the header of the request is too large");
  if (ec && ec.category() == http::make_error_code(http::error::bad_method).category() &&
      ec != http::error::end_of_stream && ec != http::error::partial_message) {
    return refuse(400, "malformed HTTP request: " + ec.message());
  }
  if (ec) return close();
  const auto& message = parser_->get();
  keep_alive_ = message.keep_alive();
  request_ = Request();
  request_.method = std::string(message.method_string());
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    request_.headers[name] = std::string(field.value());
  }
  expects_continue_ = request_.header("expect") == "100-continue";
  if (const auto parsed =
          parse_target({message.target().data(), message.target().size()}, request_);
      !parsed.ok()) {
    return refuse(400, parsed.error().message);
  }
  if (host_->router.admission) {
    if (const auto admitted = host_->router.admission(request_); !admitted.ok()) {
      return refuse(http_status(admitted.error()), admitted.error().message);
    }
  }
  route_ = host_->router.find(request_);
  if (route_ == nullptr) return refuse(404, "page not found");
  if (route_->body == Body::kStreamed || parser_->is_done()) return dispatch();
  const auto limit = host_->limits.buffered_body_bytes;
  if (parser_->content_length().value_or(0) > limit)
    return refuse(413, "the body of the request is too large");
  auto body = std::make_shared<std::string>();
  read_body(
      [self = shared_from_this(), body, limit](std::string_view bytes) {
        if (body->size() <= limit) body->append(bytes);
      },
      [self = shared_from_this(), body, limit](bool complete) {
        if (!complete) return self->close();
        if (body->size() > limit) return self->refuse(413, "the body of the request is too large");
        self->request_.body = std::move(*body);
        self->dispatch();
      });
}

void Connection::dispatch() {
  const auto exchange = std::make_shared<ExchangeImpl>(shared_from_this(), std::move(request_));
  exchange_ = exchange;
  route_->handler(exchange);
  if (!closed_ && parser_->is_done()) watch_client();
}

// An answer without a handler.
void Connection::refuse(int status, std::string_view message) {
  if (!parser_->is_header_done()) keep_alive_ = false;
  const auto exchange = std::make_shared<ExchangeImpl>(shared_from_this(), std::move(request_));
  exchange_ = exchange;
  exchange->respond(status, "application/json", error_body(message), {});
}

// Reads the rest of the body piece by piece, until its end or an error.
void Connection::read_body(std::function<void(std::string_view)> chunk,
                           std::function<void(bool)> done) {
  if (parser_->is_done()) return done(true);
  if (std::exchange(expects_continue_, false)) send("HTTP/1.1 100 Continue\r\n\r\n");
  chunk_.resize(kChunk);
  auto& body = parser_->get().body();
  body.data = chunk_.data();
  body.size = chunk_.size();
  reading_body_ = true;
  http::async_read_some(socket_, buffer_, *parser_,
                        [self = shared_from_this(), chunk = std::move(chunk),
                         done = std::move(done)](error_code ec, std::size_t) mutable {
                          self->reading_body_ = false;
                          if (self->closed_) return done(false);
                          if (ec == http::error::need_buffer) ec = {};
                          const auto size = self->chunk_.size() - self->parser_->get().body().size;
                          if (size > 0) chunk({self->chunk_.data(), size});
                          if (ec) return done(false);
                          self->read_body(std::move(chunk), std::move(done));
                        });
}

void Connection::pump_body(std::shared_ptr<asio::posix::stream_descriptor> sink,
                           std::function<void(Status)> done) {
  if (parser_->is_done()) {
    sink->close();
    watch_client();
    return done(ok_status());
  }
  if (std::exchange(expects_continue_, false)) send("HTTP/1.1 100 Continue\r\n\r\n");
  chunk_.resize(kChunk);
  auto& body = parser_->get().body();
  body.data = chunk_.data();
  body.size = chunk_.size();
  reading_body_ = true;
  http::async_read_some(
      socket_, buffer_, *parser_,
      [self = shared_from_this(), sink, done = std::move(done)](error_code ec,
                                                                std::size_t) mutable {
        self->reading_body_ = false;
        const auto gone = [&] {
          done(
              Error::make(ErrorKind::kCancelled, "the client went away in the middle of the body"));
        };
        if (self->closed_) return gone();
        if (ec == http::error::need_buffer) ec = {};
        if (ec) {
          self->close();
          return gone();
        }
        const auto size = self->chunk_.size() - self->parser_->get().body().size;
        if (size == 0) return self->pump_body(sink, std::move(done));
        self->reading_body_ = true;  // the chunk is in use
        asio::async_write(
            *sink, asio::buffer(self->chunk_.data(), size),
            [self, sink, done = std::move(done)](const error_code& failed, std::size_t) mutable {
              self->reading_body_ = false;
              if (failed)
                return done(ok_status());  // its reader has enough; answer_written() drains
              self->pump_body(sink, std::move(done));
            });
      });
}

void Connection::drain_body(std::size_t left) {
  if (left == 0 || expects_continue_) return close();
  auto rest = std::make_shared<std::size_t>(left);
  read_body(
      [self = shared_from_this(), rest](std::string_view bytes) {
        if (bytes.size() > *rest) return self->close();
        *rest -= bytes.size();
      },
      [self = shared_from_this()](bool complete) {
        if (!complete || self->closed_) return self->close();
        self->read_request();
      });
}

void Connection::send(std::string bytes) {
  queued_ += bytes.size();
  if (!bytes.empty()) out_.push_back(std::move(bytes));
  if (in_flight_.empty()) flush();
}

void Connection::flush() {
  if (closed_) return;
  if (out_.empty()) {
    if (answered_) return answer_written();
    if (const auto exchange = exchange_.lock()) exchange->drained();
    return;
  }
  in_flight_.swap(out_);
  std::vector<asio::const_buffer> buffers;
  for (const auto& piece : in_flight_) buffers.push_back(asio::buffer(piece));
  asio::async_write(socket_, buffers,
                    [self = shared_from_this()](const error_code& ec, std::size_t size) {
                      self->in_flight_.clear();
                      if (self->closed_) return;
                      if (ec) return self->close();
                      self->queued_ -= size;
                      self->flush();
                    });
}

void Connection::answer_written() {
  answered_ = false;
  exchange_.reset();
  // A client that still sends its body would see a reset instead of the answer, so the rest is read
  // first.
  if (!parser_->is_header_done() || !keep_alive_) {
    error_code ignored;
    socket_.shutdown(LocalSocket::shutdown_send, ignored);
    return close();
  }
  if (reading_body_) return close();
  if (!parser_->is_done()) return drain_body(kDiscardLimit);
  read_request();
}

// While a handler works: has the client gone? Its next request stays in the socket.
void Connection::watch_client() {
  if (watching_ || closed_) return;
  watching_ = true;
  socket_.async_wait(LocalSocket::wait_read, [self = shared_from_this()](const error_code& ec) {
    self->watching_ = false;
    if (ec || self->closed_ || self->exchange_.expired()) return;
    char byte = 0;
    const auto size = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) return;
    // The end, or ECONNRESET of one who left without reading everything.
    self->client_left();
  });
}

// The client will send no more. It may still listen, unless the socket is hung up as well.
void Connection::client_left() {
  keep_alive_ = false;
  pollfd state{socket_.native_handle(), 0, 0};
  if (::poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0) return close();
  socket_.async_wait(LocalSocket::wait_error, [self = shared_from_this()](const error_code& ec) {
    if (ec || self->closed_) return;
    pollfd now{self->socket_.native_handle(), 0, 0};
    if (::poll(&now, 1, 0) > 0 && (now.revents & (POLLHUP | POLLERR)) != 0) self->close();
  });
}

void Connection::hijack(const Request& request, Hijack with) {
  const std::string head = hijack_head(request, with.raw);
  std::string early(static_cast<const char*>(buffer_.data().data()), buffer_.data().size());
  error_code ignored;
  LocalSocket client(socket_.get_executor(), asio::local::stream_protocol(),
                     socket_.release(ignored));
  closed_ = true;  // for us; the relay goes on, and counts as active until it ends
  timer_.cancel();
  active_ = false;
  const auto id = host_->next_relay++;
  host_->relays[id] = nullptr;
  with.done = [host = host_, id, done = std::move(with.done)] {
    host->relays.erase(id);
    host->active_changed(-1);
    if (done) done();
  };
  auto end = with.web_socket ? relay_web_socket(std::move(client), request, std::move(with))
                             : relay(std::move(client), head, std::move(early), std::move(with));
  if (const auto entry = host_->relays.find(id); entry != host_->relays.end())
    entry->second = std::move(end);
}

std::shared_ptr<Connection> make_connection(LocalSocket socket,
                                            std::shared_ptr<ConnectionHost> host) {
  return std::make_shared<Connection>(std::move(socket), std::move(host));
}
void start(const std::shared_ptr<Connection>& connection) { connection->read_request(); }
void close(const std::shared_ptr<Connection>& connection) { connection->close(); }

}  // namespace stack::engine::api
