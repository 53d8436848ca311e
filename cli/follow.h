// Follows the output and the fate of a project's containers: what `up` shows while attached and
// what `logs --follow` prints. Single-threaded: every log stream, the event stream, signals and a
// running stop are descriptors of one poll loop.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cli/log_feed.h"
#include "cli/log_printer.h"

namespace stack::cli {

struct FollowOptions {
  std::string project;
  std::set<std::string> services;  // whose containers are followed; empty: all
  LogPrinter::Options format;
  bool timestamps = false;
  bool status_lines = false;   // "web-1 exited with code 3"
  bool split_streams = false;  // the containers' stderr to our stderr
  std::string tail = "all";
  std::string since;  // for the containers there at the beginning
  int index = 0;      // only this replica; 0: all
};

class Follower {
 public:
  struct Exit {
    std::string container_id;
    std::string service;
    int code = 0;
  };

  Follower(const Engine& engine, FollowOptions options);

  // Containers whose output is followed from the beginning; names get their colours in this order.
  Status add(const std::vector<Container>& containers);
  // Starts, deaths and removals from now on (with `since`, from then on).
  Status watch_events(const std::string& since);

  // Waits for output, for an event or for one of `others` to be readable, shows what there is, and
  // returns those of `others` that can be read.
  Result<std::vector<int>> step(std::span<const int> others, std::chrono::milliseconds timeout);

  // True when every container has ended for good and all it wrote has been printed.
  bool finished() const;
  // Containers that ended since the last call, in the order in which they did.
  std::vector<Exit> take_exits() { return std::exchange(exits_, {}); }

 private:
  struct Source {
    std::string id;
    std::string name;  // as shown
    std::string service;
    std::optional<LogFeed> feed;
    bool running = true;
    std::optional<int> exit_code;  // died; its last lines may still be under way
    bool one_more_look = false;    // the feed has ended without an event
    bool gone = false;             // removed
    TimePoint died;
    std::string last_timestamp;
  };

  Status open(Source& source, const std::string& since);
  Status take_events();
  Status on_event(const EngineEvent& event);
  void print_lines();
  Status look_after_end(Source& source, TimePoint now);
  Status settle();
  bool wanted(const std::string& service) const {
    return options_.services.empty() || options_.services.contains(service);
  }
  Source* find(const std::string& id);
  // The engine went away: start it again and go on where we were.
  Status reconnect();

  const Engine& engine_;
  FollowOptions options_;
  LogPrinter printer_;
  std::list<Source> sources_;
  std::optional<BodyStream> events_;
  std::string event_bytes_;
  std::string last_event_;
  std::vector<Exit> exits_;
};

}  // namespace stack::cli
