// What happened to projects, kept over restarts of the engine: who did what, why, and when. Two
// kinds of entries: the events of containers (also what `/events?since=` shows after a restart),
// and what runs and supervision decided. Written in batches, the newest 20,000 entries are kept.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "engine/events.h"

namespace stack::engine {

class StateStore;

struct HistoryEntry {
  WallTime time{};
  std::string project;
  std::string service;    // empty: the project as a whole
  std::string container;  // name
  std::string action;  // "start", "die", "up", "create network demo_default", "restart", "give up"
  std::string why;     // the cause, or "exit code 3"
  std::string who;     // "root: stack up -d", "restart policy", "supervisor", "api"
};

class History {
 public:
  // All members are for the loop's thread; everything must outlive it.
  History(EventLoop& loop, const Clock& clock, StateStore& state, EventBus& events);
  ~History();  // writes what is left
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  void record(HistoryEntry entry);  // time 0: now
  // Oldest first; of one project, since a moment, the newest `limit` of them.
  Result<std::vector<HistoryEntry>> find(const std::string& project, WallTime since,
                                         std::size_t limit);
  void flush();

 private:
  void take(const Event& event);
  void write_soon();

  EventLoop& loop_;
  const Clock& clock_;
  StateStore& state_;
  struct Row {
    WallTime time{};
    std::string project;
    std::string document;
  };
  std::vector<Row> pending_;
  EventLoop::Timer timer_;
  EventBus::Subscription subscription_;
};

}  // namespace stack::engine
