// One connection of a client: its state, and the exchange that a handler sees of it. Private to
// connection.cc (requests and answers), request_body.cc and exchange.cc.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/api/connection.h"
#include "engine/api/hijack.h"
#include "engine/api/response_head.h"

namespace stack::engine::api {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using LocalSocket = asio::local::stream_protocol::socket;

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
  bool wants_body();
  void drain_body(std::size_t left);
  void pump_body(std::shared_ptr<asio::posix::stream_descriptor> sink,
                 std::function<void(Status)> done);
  void send(std::string bytes);
  void flush();
  void answer_written();
  void next_request();
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
  bool answered_ = false;    // the whole answer is in the queue
  bool discarding_ = false;  // ... and sent: nobody wants the rest of the body
  bool watching_ = false, closed_ = false, active_ = false;
};

class ExchangeImpl final : public Exchange, public std::enable_shared_from_this<ExchangeImpl> {
 public:
  ExchangeImpl(std::shared_ptr<Connection> connection, Request request)
      : connection_(std::move(connection)), request_(std::move(request)) {}
  ~ExchangeImpl() override;

  const Request& request() const override { return request_; }
  bool begun() const override { return begun_; }
  bool closed() const override { return connection_->closed_; }
  std::size_t queued() const override { return connection_->queued_; }
  void respond(int status, std::string_view content_type, std::string body,
               Headers extra = {}) override;
  void begin(int status, std::string_view content_type, Headers extra = {}) override;
  void write(std::string bytes) override;
  void finish() override;
  void abort() override;
  void on_drain(std::function<void()> fn) override { drain_ = std::move(fn); }
  void on_close(std::function<void()> fn) override;
  void receive_body(Fd sink, std::function<void(Status)> done) override;
  void hijack(Hijack with) override;

  void drained();      // all that was written is sent
  void client_left();  // the connection is closed

 private:
  ResponseHead head_of(int status, std::string_view content_type, Headers extra) const;
  void complete(std::string bytes);
  void drop_callbacks();

  std::shared_ptr<Connection> connection_;
  Request request_;
  bool begun_ = false, chunked_ = false, over_ = false;
  std::function<void()> drain_, close_;
};

}  // namespace stack::engine::api
