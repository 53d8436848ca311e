#include "cli/api_client.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <nlohmann/json.hpp>

namespace stack::cli {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

namespace {

// Keeps what we need of an answer; the body is handed on as it comes.
class AnswerParser final : public http::basic_parser<false> {
 public:
  AnswerParser() { body_limit(boost::none); }

  int status = 0;
  std::string content_type;
  std::string path_stat;
  std::string body;  // decoded and not yet taken

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { status = code; }
  void on_field_impl(http::field name, string_view text, string_view value, error_code&) override {
    if (name == http::field::content_type) content_type.assign(value.data(), value.size());
    if (boost::beast::iequals(text, "X-Docker-Container-Path-Stat"))
      path_stat.assign(value.data(), value.size());
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
};

// The SyncWriteStream that Beast's serializer writes to.
struct SocketWriter {
  int fd;

  template <typename Buffers>
  std::size_t write_some(const Buffers& buffers, error_code& ec) {
    for (auto it = boost::asio::buffer_sequence_begin(buffers);
         it != boost::asio::buffer_sequence_end(buffers); ++it) {
      const boost::asio::const_buffer buffer = *it;
      if (buffer.size() == 0) continue;
      ssize_t n = 0;
      do {
        n = ::send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
      } while (n < 0 && errno == EINTR);
      if (n < 0) {
        ec.assign(errno, boost::system::system_category());
        return 0;
      }
      return static_cast<std::size_t>(n);
    }
    return 0;
  }
  template <typename Buffers>
  std::size_t write_some(const Buffers& buffers) {
    error_code ec;
    const std::size_t n = write_some(buffers, ec);
    if (ec) throw boost::system::system_error(ec);
    return n;
  }
};

Error vanished() {
  return Error::make(ErrorKind::kUnavailable,
                     "the engine closed the connection before its answer was complete")
      .fix(
          "Run the command again; if it happens again, the end of the engine's log (stackd.log) "
          "says why.");
}

http::request<http::string_body> make_request(std::string_view method, const std::string& target) {
  http::request<http::string_body> request;
  request.method_string(string_view(method.data(), method.size()));
  request.target(target);
  request.version(11);
  request.set(http::field::host, "stack");
  request.set(http::field::user_agent, "stack");
  return request;
}

}  // namespace

struct BodyStream::State {
  Fd socket;
  AnswerParser parser;
  std::string raw;  // read and not yet parsed

  // Parses what is in `raw`.
  Status parse() {
    while (!raw.empty() && !parser.is_done()) {
      error_code ec;
      const std::size_t used = parser.put(boost::asio::buffer(raw), ec);
      raw.erase(0, used);
      if (ec == http::error::need_more) break;
      if (ec)
        return Error::make(ErrorKind::kUnavailable,
                           "the engine's answer is not HTTP: " + ec.message());
      if (used == 0) break;
    }
    return ok_status();
  }

  // Reads once; false at end of file.
  Result<bool> fill() {
    char buffer[65536];
    ssize_t n = 0;
    do {
      n = ::read(socket.get(), buffer, sizeof buffer);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == ECONNRESET) return false;
    if (n < 0) return Error::os(errno, "reading the engine's answer");
    raw.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }

  Status end_of_file() {
    error_code ec;
    if (parser.got_some()) parser.put_eof(ec);
    if (ec || !parser.is_done()) return vanished();
    return ok_status();
  }

  Status read_header() {
    parser.eager(false);
    while (!parser.is_header_done()) {
      if (!TRY(fill())) return vanished();
      TRY(parse());
    }
    parser.eager(true);
    return ok_status();
  }
};

BodyStream::BodyStream() = default;
BodyStream::BodyStream(BodyStream&&) noexcept = default;
BodyStream& BodyStream::operator=(BodyStream&&) noexcept = default;
BodyStream::~BodyStream() = default;

int BodyStream::fd() const { return state_ ? state_->socket.get() : -1; }
const std::string& BodyStream::content_type() const { return state_->parser.content_type; }
bool BodyStream::has_buffered() const {
  // Bytes of an incomplete chunk do not count: reading them on would wait for the rest.
  return !state_->parse().ok() || !state_->parser.body.empty() || state_->parser.is_done();
}

Result<bool> BodyStream::read(std::string& out) {
  State& s = *state_;
  TRY(s.parse());
  if (s.parser.body.empty() && !s.parser.is_done()) {
    if (TRY(s.fill())) {
      TRY(s.parse());
    } else {
      TRY(s.end_of_file());
    }
  }
  out += s.parser.body;
  s.parser.body.clear();
  return !s.parser.is_done();
}

Result<Fd> ApiClient::connect() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path)
    return Error::invalid(path_ + ": too long for the path of a socket");
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return Error::os(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Error error = Error::os(errno, "cannot reach the engine at " + path_);
    error.kind = ErrorKind::kUnavailable;
    return error;
  }
  return socket;
}

bool ApiClient::reachable() const { return connect().ok(); }

ApiClient ApiClient::with_header(std::string name, std::string value) const {
  ApiClient out = *this;
  out.headers_.emplace_back(std::move(name), std::move(value));
  return out;
}

Result<BodyStream> ApiClient::begin(std::string_view method, const std::string& target,
                                    std::string body, std::string_view content_type,
                                    bool upgrade) const {
  BodyStream stream;
  stream.state_ = std::make_unique<BodyStream::State>();
  stream.state_->socket = TRY(connect());
  auto request = make_request(method, target);
  if (!body.empty())
    request.set(http::field::content_type, string_view(content_type.data(), content_type.size()));
  if (upgrade) {
    request.set(http::field::connection, "Upgrade");
    request.set(http::field::upgrade, "tcp");
  } else {
    request.set(http::field::connection, "close");
  }
  for (const auto& [name, value] : headers_) request.set(name, value);
  request.body() = std::move(body);
  request.prepare_payload();
  stream.state_->parser.skip(method == "HEAD");
  SocketWriter writer{stream.state_->socket.get()};
  error_code ec;
  http::write(writer, request, ec);
  // An engine that refuses early may answer and close before it has read all of the body: its
  // answer says more.
  if (ec && ec.value() != EPIPE && ec.value() != ECONNRESET)
    return Error::os(ec.value(), "sending a request to the engine");
  TRY(stream.state_->read_header());
  return stream;
}

Result<Response> ApiClient::read_whole(BodyStream stream) {
  Response response;
  response.status = stream.state_->parser.status;
  response.content_type = stream.content_type();
  response.path_stat = stream.state_->parser.path_stat;
  while (TRY(stream.read(response.body))) {
  }
  return response;
}

Result<Response> ApiClient::request(std::string_view method, const std::string& target,
                                    std::string body, std::string_view content_type) const {
  BodyStream stream = TRY(begin(method, target, std::move(body), content_type, false));
  return read_whole(std::move(stream));
}

namespace {
Result<std::string> body_of(Result<Response> response) {
  if (!response) return std::move(response).error();
  if (!response->ok() && response->status != 304) return error_of(*response);
  return std::move(response->body);
}
}  // namespace

Result<std::string> ApiClient::get(const std::string& target) const {
  return body_of(request("GET", target));
}
Result<std::string> ApiClient::post(const std::string& target, std::string body) const {
  return body_of(request("POST", target, std::move(body)));
}
Result<std::string> ApiClient::remove(const std::string& target) const {
  return body_of(request("DELETE", target));
}

Result<BodyStream> ApiClient::stream(std::string_view method, const std::string& target,
                                     std::string body) const {
  BodyStream stream = TRY(begin(method, target, std::move(body), "application/json", false));
  const int status = stream.state_->parser.status;
  if (status >= 200 && status < 300) return stream;
  return error_of(TRY(read_whole(std::move(stream))));
}

Result<Hijacked> ApiClient::hijack(const std::string& target, std::string body) const {
  BodyStream stream = TRY(begin("POST", target, std::move(body), "application/json", true));
  BodyStream::State& s = *stream.state_;
  if (s.parser.status != 101 && s.parser.status != 200) {
    return error_of(TRY(read_whole(std::move(stream))));
  }
  return Hijacked{std::move(s.socket), std::move(s.raw), s.parser.content_type};
}

Result<BodyStream> ApiClient::upload(std::string_view method, const std::string& target,
                                     std::string_view content_type, const Producer& produce) const {
  BodyStream stream;
  stream.state_ = std::make_unique<BodyStream::State>();
  stream.state_->socket = TRY(connect());
  auto request = make_request(method, target);
  request.set(http::field::content_type, string_view(content_type.data(), content_type.size()));
  request.set(http::field::connection, "close");
  request.chunked(true);
  http::request_serializer<http::string_body> serializer(request);
  serializer.split(true);
  SocketWriter writer{stream.state_->socket.get()};
  error_code ec;
  http::write_header(writer, serializer, ec);
  if (ec) return Error::os(ec.value(), "sending a request to the engine");
  const auto send = [&writer, &ec](std::string_view piece) -> Status {
    const std::string framed = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    for (std::size_t sent = 0; sent < framed.size() && !ec;) {
      sent +=
          writer.write_some(boost::asio::buffer(framed.data() + sent, framed.size() - sent), ec);
    }
    if (ec) return Error::os(ec.value(), "sending to the engine");
    return ok_status();
  };
  const Status produced = produce(
      [&send](std::string_view piece) { return piece.empty() ? ok_status() : send(piece); });
  if (!produced.ok() && !ec)
    return produced.error();  // the connection closes without an end: the engine drops the rest
  if (!ec) (void)send({});    // a failure shows when the answer is read
  TRY(stream.state_->read_header());
  const int status = stream.state_->parser.status;
  if (status >= 200 && status < 300) return stream;
  return error_of(TRY(read_whole(std::move(stream))));
}

ApiClient::Producer bytes_of(int fd) {
  return [fd](const ApiClient::Sink& sink) -> Status {
    std::string piece(256UL * 1024, '\0');
    for (;;) {
      const ssize_t n = ::read(fd, piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error::os(errno, "reading the archive");
      if (n == 0) return ok_status();
      TRY(sink(std::string_view(piece).substr(0, static_cast<std::size_t>(n))));
    }
  };
}

Error error_of(const Response& response) {
  std::string message;
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  if (json.is_object() && json.contains("message") && json["message"].is_string()) {
    message = json["message"].get<std::string>();
  } else {
    message = response.body.substr(0, response.body.find('\n'));
  }
  if (message.empty()) message = fmt::format("the engine answered with status {}", response.status);
  ErrorKind kind = ErrorKind::kInternal;
  if (response.status == 400) kind = ErrorKind::kInvalid;
  if (response.status == 404) kind = ErrorKind::kNotFound;
  if (response.status == 409) kind = ErrorKind::kConflict;
  return Error::make(kind, "Error response from daemon: " + message);
}

std::string url_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

}  // namespace stack::cli
