// What a handler does with its exchange, turned into bytes on the connection.
#include <fmt/core.h>

#include "engine/api/connection_impl.h"
#include "engine/api/respond.h"

namespace stack::engine::api {

ExchangeImpl::~ExchangeImpl() {
  if (over_ || closed()) return;
  if (begun_) {
    abort();
  } else {
    respond(500, "application/json", error_body("the request was given up"));
  }
}

void ExchangeImpl::respond(int status, std::string_view content_type, std::string body,
                           Headers extra) {
  if (over_ || begun_ || closed()) return;
  ResponseHead head = head_of(status, content_type, std::move(extra));
  head.content_length = body.size();
  std::string bytes = to_string(head, connection_->host_->router.common_headers);
  if (request_.method != "HEAD" && has_body(status)) bytes += body;
  complete(std::move(bytes));
}

void ExchangeImpl::begin(int status, std::string_view content_type, Headers extra) {
  if (over_ || begun_ || closed()) return;
  begun_ = true;
  ResponseHead head = head_of(status, content_type, std::move(extra));
  chunked_ = connection_->parser_->get().version() >= 11;
  head.chunked = chunked_;
  if (!chunked_) connection_->keep_alive_ = head.keep_alive = false;
  connection_->send(to_string(head, connection_->host_->router.common_headers));
}

void ExchangeImpl::write(std::string bytes) {
  if (over_ || !begun_ || closed() || bytes.empty() || request_.method == "HEAD") return;
  if (chunked_) bytes = fmt::format("{:x}\r\n", bytes.size()) + bytes + "\r\n";
  connection_->send(std::move(bytes));
}

void ExchangeImpl::finish() {
  if (over_ || !begun_ || closed()) return;
  complete(chunked_ && request_.method != "HEAD" ? "0\r\n\r\n" : "");
}

void ExchangeImpl::abort() {
  over_ = true;
  drop_callbacks();
  connection_->close();
}

void ExchangeImpl::on_close(std::function<void()> fn) {
  if (closed()) {
    fn();
  } else if (!over_) {
    close_ = std::move(fn);
  }
}

void ExchangeImpl::receive_body(Fd sink, std::function<void(Status)> done) {
  if (closed()) return done(Error::make(ErrorKind::kCancelled, "the client has gone"));
  const auto target = std::make_shared<asio::posix::stream_descriptor>(
      connection_->socket_.get_executor(), sink.release());
  connection_->pump_body(target, std::move(done));
}

void ExchangeImpl::hijack(Hijack with) {
  if (over_ || begun_ || closed()) return;
  over_ = true;
  drop_callbacks();
  connection_->hijack(request_, std::move(with));
}

void ExchangeImpl::drained() {
  if (!drain_ || over_) return;
  const auto fn = drain_;  // it may set another
  fn();
}

void ExchangeImpl::client_left() {
  const auto fn = std::exchange(close_, nullptr);
  drain_ = nullptr;
  if (fn) fn();
}

ResponseHead ExchangeImpl::head_of(int status, std::string_view content_type, Headers extra) const {
  ResponseHead head;
  head.status = status;
  head.content_type = content_type;
  head.extra = std::move(extra);
  head.keep_alive = connection_->keep_alive_;
  return head;
}

void ExchangeImpl::complete(std::string bytes) {
  over_ = true;
  drop_callbacks();
  connection_->answered_ = true;
  connection_->send(std::move(bytes));
}

// They hold what holds us.
void ExchangeImpl::drop_callbacks() {
  const auto close = std::exchange(close_, nullptr);
  const auto drain = std::exchange(drain_, nullptr);
}

}  // namespace stack::engine::api
