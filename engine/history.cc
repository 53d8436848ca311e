#include "engine/history.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "engine/state_store.h"

namespace stack::engine {

namespace {

using nlohmann::json;

constexpr std::size_t kKept = 20'000;
constexpr std::size_t kShownEvents = 1'024;
constexpr std::size_t kBatch = 512;
constexpr std::chrono::milliseconds kWriteAfter{300};

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string attribute(const Event& event, const char* key) {
  const auto it = event.attributes.find(key);
  return it == event.attributes.end() ? std::string() : it->second;
}

json to_json(const HistoryEntry& entry) {
  json out{{"action", entry.action}};
  if (!entry.service.empty()) out["service"] = entry.service;
  if (!entry.container.empty()) out["container"] = entry.container;
  if (!entry.why.empty()) out["why"] = entry.why;
  if (!entry.who.empty()) out["who"] = entry.who;
  return out;
}

json to_json(const Event& event) {
  return {{"event", event.action},
          {"type", event.type},
          {"id", event.id},
          {"attributes", event.attributes}};
}

Event event_of(const json& document, WallTime time) {
  Event event{
      document.value("type", ""), document.value("event", ""), document.value("id", ""), {}, time};
  const json attributes = document.value("attributes", json::object());
  for (const auto& [key, value] : attributes.items()) {
    if (value.is_string()) event.attributes[key] = value.get<std::string>();
  }
  return event;
}

HistoryEntry entry_of(const json& document, WallTime time, std::string project) {
  HistoryEntry entry;
  entry.time = time;
  entry.project = std::move(project);
  if (!document.contains("event")) {
    entry.service = document.value("service", "");
    entry.container = document.value("container", "");
    entry.action = document.value("action", "");
    entry.why = document.value("why", "");
    entry.who = document.value("who", "");
    return entry;
  }
  const Event event = event_of(document, time);
  entry.action = event.action;
  entry.service = attribute(event, "com.docker.compose.service");
  entry.container = attribute(event, "name");
  if (event.action == "die") entry.why = "exit code " + attribute(event, "exitCode");
  if (event.action == "kill") entry.why = "signal " + attribute(event, "signal");
  return entry;
}

}  // namespace

History::History(EventLoop& loop, const Clock& clock, StateStore& state, EventBus& events)
    : loop_(loop), clock_(clock), state_(state) {
  auto earlier = state_.history({}, WallTime{}, kShownEvents);
  if (!earlier.ok()) {
    log_error("reading the history: {}", earlier.error().to_string());
  } else {
    std::vector<Event> told;
    for (const auto& row : *earlier) {
      const json document = json::parse(row.document, nullptr, false);
      if (document.is_object() && document.contains("event"))
        told.push_back(event_of(document, row.time));
    }
    events.restore(std::move(told));
  }
  subscription_ = events.subscribe([this](const Event& event) { take(event); });
}

History::~History() { flush(); }

void History::take(const Event& event) {
  // Probes and execs are many and say little afterwards.
  if (event.type != "container" || event.action.starts_with("exec_")) return;
  pending_.push_back(
      {event.time, attribute(event, "com.docker.compose.project"), dump(to_json(event))});
  write_soon();
}

void History::record(HistoryEntry entry) {
  if (entry.time == WallTime{}) entry.time = clock_.wall();
  const std::string document = dump(to_json(entry));
  pending_.push_back({entry.time, std::move(entry.project), document});
  write_soon();
}

void History::write_soon() {
  if (pending_.size() >= kBatch) return flush();
  if (pending_.size() == 1) timer_ = loop_.after(kWriteAfter, [this] { flush(); });
}

void History::flush() {
  if (pending_.empty()) return;
  std::vector<StateStore::HistoryRow> rows;
  for (Row& row : pending_)
    rows.push_back({row.time, std::move(row.project), std::move(row.document)});
  pending_.clear();
  // What cannot be written is no reason to stop: the history is for people.
  if (const Status written = state_.append_history(rows, kKept); !written.ok())
    log_error("writing the history: {}", written.error().to_string());
}

Result<std::vector<HistoryEntry>> History::find(const std::string& project, WallTime since,
                                                std::size_t limit) {
  flush();
  std::vector<HistoryEntry> entries;
  for (auto& row : TRY(state_.history(project, since, limit))) {
    const json document = json::parse(row.document, nullptr, false);
    if (document.is_object())
      entries.push_back(entry_of(document, row.time, std::move(row.project)));
  }
  return entries;
}

}  // namespace stack::engine
