#include "engine/api/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

#include "engine/api/connection_impl.h"
#include "engine/api/respond.h"
#include "engine/api/web_socket.h"

namespace stack::engine::api {

namespace {
constexpr std::size_t kDiscardLimit = 64U << 20U;
}  // namespace

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
    if (ec || self->closed_) return;
    char byte = 0;
    const auto size = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    const bool nothing = size < 0 && (errno == EAGAIN || errno == EINTR);
    nothing ? self->read_request() : self->read_header();  // being woken is a hint
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
  error_code ignored;
  if (!keep_alive_) socket_.shutdown(LocalSocket::shutdown_send, ignored);
  if (!parser_->is_header_done()) return close();
  // A client that still sends its body would see a reset instead of the answer, so the rest is read
  // first; the piece that is being read now ends here again.
  discarding_ = reading_body_;
  if (reading_body_) return;
  if (!parser_->is_done()) return drain_body(kDiscardLimit);
  next_request();
}

void Connection::next_request() { keep_alive_ ? read_request() : close(); }

// While a handler works: has the client gone? Its next request stays in the socket.
void Connection::watch_client() {
  if (watching_ || closed_) return;
  watching_ = true;
  socket_.async_wait(LocalSocket::wait_read, [self = shared_from_this()](const error_code& ec) {
    self->watching_ = false;
    if (ec || self->closed_ || self->exchange_.expired()) return;
    char byte = 0;
    const auto size = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size > 0) return;
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return self->watch_client();
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
    if (!ec && !self->closed_) self->client_left();
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
