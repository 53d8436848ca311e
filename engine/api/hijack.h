// A connection that stopped being HTTP: bytes between the client and a container's streams, each
// direction with back-pressure, half-closed separately, as attach and exec of the Docker API have
// it (runtime frames or raw).
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>

#include "engine/api/exchange.h"

namespace stack::engine::api {

// Owns itself until both sides are through. `head` is what is sent first (status line, headers),
// `early` what the client has sent already. Returns a function that ends it at once.
std::function<void()> relay(boost::asio::local::stream_protocol::socket client, std::string head,
                            std::string early, Hijack with);

// Docker's default: ctrl-p, ctrl-q. "ctrl-x", "a" and the like, separated by commas; nullopt when
// malformed.
std::optional<std::string> parse_detach_keys(std::string_view text);

// Finds the detach keys in typed bytes. Bytes that may be the beginning of the sequence are held
// back.
class DetachFilter {
 public:
  explicit DetachFilter(std::string keys) : keys_(std::move(keys)) {}
  // What is to be passed on; sets `detached` when the sequence is complete.
  std::string feed(std::string_view bytes, bool& detached);

 private:
  std::string keys_;
  std::size_t matched_ = 0;
};

}  // namespace stack::engine::api
