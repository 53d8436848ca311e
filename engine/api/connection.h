// One client's connection: reads requests one after the other, runs their handlers, writes the
// answers. A pipelined request waits in the buffer until the answer before it is complete.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <map>
#include <memory>

#include "engine/api/router.h"
#include "engine/api/server.h"

namespace stack::engine::api {

// What connections need of their server; outlives them.
struct ConnectionHost {
  Router router;
  ServerLimits limits;
  std::function<void(int)> active_changed;                // +1, -1
  std::map<std::uint64_t, std::function<void()>> relays;  // how to end each
  std::uint64_t next_relay = 1;
};

class Connection;
std::shared_ptr<Connection> make_connection(boost::asio::local::stream_protocol::socket socket,
                                            std::shared_ptr<ConnectionHost> host);
void start(const std::shared_ptr<Connection>& connection);
void close(const std::shared_ptr<Connection>& connection);

}  // namespace stack::engine::api
