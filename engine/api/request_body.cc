// The body of a request: into memory, into a pipe for a worker, or away.
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>

#include "engine/api/connection_impl.h"

namespace stack::engine::api {

namespace {
constexpr std::size_t kChunk = 64U << 10U;
}  // namespace

// A client that asks whether it may send its body is told to; then there is room for a piece of it.
// False: the body is complete.
bool Connection::wants_body() {
  if (parser_->is_done()) return false;
  if (std::exchange(expects_continue_, false)) send("HTTP/1.1 100 Continue\r\n\r\n");
  chunk_.resize(kChunk);
  auto& body = parser_->get().body();
  body.data = chunk_.data();
  body.size = chunk_.size();
  reading_body_ = true;
  return true;
}

// Reads the rest of the body piece by piece, until its end or an error.
void Connection::read_body(std::function<void(std::string_view)> chunk,
                           std::function<void(bool)> done) {
  if (!wants_body()) return done(true);
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
  if (discarding_) {  // the handler has answered without the rest
    done(ok_status());
    return answer_written();
  }
  if (!wants_body()) {
    sink->close();
    watch_client();
    return done(ok_status());
  }
  http::async_read_some(
      socket_, buffer_, *parser_,
      [self = shared_from_this(), sink, done = std::move(done)](error_code ec,
                                                                std::size_t) mutable {
        self->reading_body_ = false;
        if (self->closed_ || (ec && ec != http::error::need_buffer)) {
          self->close();
          return done(
              Error::make(ErrorKind::kCancelled, "the client went away in the middle of the body"));
        }
        const auto size = self->chunk_.size() - self->parser_->get().body().size;
        if (size == 0 || self->discarding_) return self->pump_body(sink, std::move(done));
        self->reading_body_ = true;  // the chunk is in use
        asio::async_write(
            *sink, asio::buffer(self->chunk_.data(), size),
            [self, sink, done = std::move(done)](const error_code& failed, std::size_t) mutable {
              self->reading_body_ = false;
              if (failed && !self->discarding_)
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
        self->next_request();
      });
}

}  // namespace stack::engine::api
