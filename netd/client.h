// The engine's side of stack-netd: starts it, connects to it, tells it what to know, and keeps the
// whole table so that a fresh netd (after a crash) gets everything again. A netd that outlived an
// earlier engine is used on: what this engine sets replaces what the old one set, and settle()
// removes the rest. All members are for the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "netd/names.h"
#include "netd/ports.h"

namespace stack::netd {

class NetdClient {
 public:
  using Done = std::function<void(Status)>;
  struct Options {
    std::string binary;       // .../stack-netd
    std::string socket_path;  // $STACK_RUN/netd.sock
    std::string resolv_conf = "/etc/resolv.conf";
  };

  NetdClient(EventLoop& loop, Options options);
  ~NetdClient();  // disconnects; netd goes on
  NetdClient(const NetdClient&) = delete;
  NetdClient& operator=(const NetdClient&) = delete;

  void start();  // connect to a running netd or spawn one; retries with back-off (20 ms ... 1 s)
                 // for ever
  bool connected() const;
  int restarts() const;  // how often netd had to be started again
  void on_state(std::function<void(bool connected)> callback);

  // Adds or replaces. `netns` is needed the first time an id is set (kept, so the namespace lives
  // until remove_container()); pass an empty Fd to change names only. done: the resolver of the
  // container answers.
  void set_container(ContainerNames container, Fd netns, Done done = {});
  void remove_container(const std::string& id, Done done = {});
  // Binds the host ports (all or none). Error: kConflict "failed to bind host port for
  // 0.0.0.0:80:172.18.0.2:80/tcp: address already in use" with the holder in the remedy. An empty
  // list releases them. Ports also go with remove_container().
  void set_published(const std::string& id, std::vector<PublishedPort> ports, Done done = {});

  // The published ports of `from` become those of `to`: the sockets stay bound. With an empty
  // `from` as set_published().
  void hand_over(const std::string& from, const std::string& to, std::vector<PublishedPort> ports,
                 Done done);

  // After a restart of the engine: netd forgets every container that was not set since we
  // connected.
  void settle();
  // Tells netd to end (no container left, engine leaves). No restart afterwards until the next
  // start().
  void shut_down(Done done = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stack::netd
