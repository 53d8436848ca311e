// A connection that became a web socket (GET /containers/x/attach/ws): what the container writes
// goes out as binary messages without Docker's frames, what comes in goes to its stdin.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/api/exchange.h"

namespace stack::engine::api {

// Takes Docker's frames apart: stream (one byte), three zero bytes, length (four), payload.
class FrameStripper {
 public:
  // The payload bytes in `bytes`, which may begin and end anywhere.
  std::string feed(std::string_view bytes);

 private:
  std::string header_;
  std::size_t left_ = 0;  // of the present frame
};

// Answers the handshake and owns itself until either side ends. `with.raw` says that the container
// has a terminal. Returns a function that ends it at once. Only with.duplex, raw, client_input and
// done are looked at.
std::function<void()> relay_web_socket(boost::asio::local::stream_protocol::socket client,
                                       const Request& request, Hijack with);

// kInvalid when it is not a request to upgrade to a web socket.
Status check_web_socket(const Request& request);

}  // namespace stack::engine::api
