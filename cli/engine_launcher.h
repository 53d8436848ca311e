// Where the engine's socket is, and starting the engine when nobody answers there.
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"

namespace stack::cli {

struct EngineAddress {
  std::string socket;         // path of the unix socket
  std::string run_directory;  // where stackd.log and the lock are
  bool may_start = true;      // false when the user named a socket: then it is not ours to start
};

// `host` (--host) or $STACK_HOST ("unix:///path" or a path), else $STACK_RUN/stack.sock, else
// /run/stack/stack.sock.
Result<EngineAddress> engine_address(const std::string& host = {});

struct LaunchOptions {
  std::string program;  // empty: stackd beside our own binary
  // An engine that lives but does not answer yet puts its state in order; after a power cut it
  // unpacks images again. From `notice` on a line on stderr says so.
  std::chrono::milliseconds notice{3'000};
  std::chrono::milliseconds timeout{600'000};
};

// Returns when the engine answers /_ping, having started it if nothing answered. Concurrent
// commands start one engine: an engine that is starting holds start.lock, which it has from the
// command that started it, and the others wait for either its answer or its end.
Status ensure_engine(const EngineAddress& address, const LaunchOptions& options = {});

}  // namespace stack::cli
