// HTTP over the engine's unix socket: whole answers, answers that arrive over time, and connections
// that turn into raw streams ("hijacked": exec and attach). Synchronous; one connection per call.
// An engine that goes away in the middle of an answer is an error that says so, never a short
// answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace stack::cli {

struct Response {
  int status = 0;
  std::string content_type;
  std::string body;
  std::string path_stat;  // X-Docker-Container-Path-Stat of the archive endpoints, base64

  bool ok() const { return status >= 200 && status < 300; }
};

// The body of one answer, read piece by piece. Poll fd() for readability to follow several at once.
class BodyStream {
 public:
  BodyStream();
  BodyStream(BodyStream&&) noexcept;
  BodyStream& operator=(BodyStream&&) noexcept;
  ~BodyStream();  // closes the connection, which tells the engine to stop

  int fd() const;
  const std::string& content_type() const;
  // Appends what has arrived to `out`, waiting for the first byte; false when the body is complete.
  Result<bool> read(std::string& out);
  // Whether read() can return without the socket becoming readable first (bytes that came with the
  // header).
  bool has_buffered() const;

 private:
  friend class ApiClient;
  struct State;
  std::unique_ptr<State> state_;
};

// A connection that carries raw bytes in both directions.
struct Hijacked {
  Fd socket;
  std::string early;  // bytes that came with the header
  std::string content_type;
};

class ApiClient {
 public:
  explicit ApiClient(std::string socket_path) : path_(std::move(socket_path)) {}

  // A client that sends this header with its requests (not with uploads).
  ApiClient with_header(std::string name, std::string value) const;

  const std::string& socket_path() const { return path_; }
  // Whether somebody listens at the socket.
  bool reachable() const;

  // Any status is an answer.
  Result<Response> request(std::string_view method, const std::string& target,
                           std::string body = {},
                           std::string_view content_type = "application/json") const;
  // Statuses other than 2xx (and 304, "already so") become errors with the engine's message.
  Result<std::string> get(const std::string& target) const;
  Result<std::string> post(const std::string& target, std::string body = {}) const;
  Result<std::string> remove(const std::string& target) const;
  // The body is what `produce` hands to its sink, sent in chunks. When the engine refuses in the
  // middle, the sink fails and the engine's answer is the result.
  using Sink = std::function<Status(std::string_view)>;
  using Producer = std::function<Status(const Sink&)>;
  Result<BodyStream> upload(std::string_view method, const std::string& target,
                            std::string_view content_type, const Producer& produce) const;
  Result<BodyStream> stream(std::string_view method, const std::string& target,
                            std::string body = {}) const;
  Result<Hijacked> hijack(const std::string& target, std::string body = {}) const;

 private:
  Result<Fd> connect() const;
  Result<BodyStream> begin(std::string_view method, const std::string& target, std::string body,
                           std::string_view content_type, bool upgrade) const;
  static Result<Response> read_whole(BodyStream stream);

  std::string path_;
  std::vector<std::pair<std::string, std::string>> headers_;
};

// The error that a non-2xx answer stands for.
Error error_of(const Response& response);

// The bytes of a descriptor up to its end.
ApiClient::Producer bytes_of(int fd);

// Percent-encoding of a query value or a path segment.
std::string url_encode(std::string_view text);

}  // namespace stack::cli
