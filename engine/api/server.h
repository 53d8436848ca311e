// The HTTP/1.1 server on a unix socket, on the event loop. Knows nothing of containers: what is
// answered is the router's.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/event_loop.h"
#include "engine/api/router.h"

namespace stack::engine::api {

struct ServerLimits {
  std::size_t header_bytes = 1U << 20U;          // more is refused with 431
  std::size_t buffered_body_bytes = 64U << 20U;  // more is refused with 413
  std::chrono::milliseconds header_time{
      30'000};  // from the first byte of a request to the end of its header
};

class HttpServer {
 public:
  // Makes the socket, mode 0660, of group docker or stack when there is one; a socket file of a
  // dead server is replaced. SIGPIPE is ignored from here on in this process (terminals and pipes
  // of a gone reader are written to).
  static Result<std::unique_ptr<HttpServer>> listen(EventLoop& loop,
                                                    const std::filesystem::path& socket,
                                                    Router router, ServerLimits limits = {});
  ~HttpServer();  // closes all connections and removes the socket file

  std::size_t connections() const;
  // Requests being answered now, hijacked connections included.
  std::size_t active() const;
  // When `active` became zero last; for an engine that leaves when nothing is left to do.
  std::chrono::steady_clock::time_point last_activity() const;

 private:
  struct Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace stack::engine::api
