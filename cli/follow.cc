#include "cli/follow.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/fd.h"
#include "cli/duration_text.h"
#include "cli/engine_launcher.h"
#include "cli/json_text.h"
#include "cli/terminal.h"

namespace stack::cli {

namespace {

// How long the last lines of a dead container may take to arrive when its log stream does not end
// by itself.
constexpr std::chrono::milliseconds kLastLines{300};

std::string after(const EngineEvent& event) {
  return fmt::format("{}.{:09}", event.time_nano / 1'000'000'000, event.time_nano % 1'000'000'000);
}

// The moment behind the last line that was shown, as the API takes it.
std::string behind(const std::string& timestamp, const std::string& otherwise) {
  if (timestamp.empty()) return otherwise;
  const auto exact = api_timestamp(timestamp, WallTime{});
  if (!exact.ok() || exact->size() < 11) return otherwise;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  const std::size_t dot = exact->find('.');
  std::from_chars(exact->data(), exact->data() + dot, seconds);
  std::from_chars(exact->data() + dot + 1, exact->data() + exact->size(), nanoseconds);
  if (++nanoseconds == 1'000'000'000) ++seconds, nanoseconds = 0;
  return fmt::format("{}.{:09}", seconds, nanoseconds);
}

}  // namespace

Follower::Follower(const Engine& engine, FollowOptions options)
    : engine_(engine), options_(std::move(options)), printer_(options_.format) {}

Follower::Source* Follower::find(const std::string& id) {
  const auto found =
      std::find_if(sources_.begin(), sources_.end(), [&id](const Source& s) { return s.id == id; });
  return found != sources_.end() ? &*found : nullptr;
}

Status Follower::open(Source& source, const std::string& since) {
  LogQuery query;
  query.follow = true;
  query.since = since;
  if (since.empty() || since == options_.since) query.tail = options_.tail;
  auto feed = LogFeed::open(engine_, source.id, query);
  if (!feed.ok()) {
    if (feed.error().kind != ErrorKind::kNotFound) return std::move(feed).error();
    source.gone = true;  // removed meanwhile
    source.running = false;
    return ok_status();
  }
  source.feed.emplace(std::move(*feed));
  return ok_status();
}

Status Follower::add(const std::vector<Container>& containers) {
  for (const Container& container : containers) {
    if (find(container.id) != nullptr) continue;
    Source& source = sources_.emplace_back();
    source.id = container.id;
    source.name = name_in_project(container.name, options_.project);
    source.service = container.service();
    source.running = container.state == "running" || container.state == "paused" ||
                     container.state == "restarting";
    TRY(open(source, options_.since));
  }
  return ok_status();
}

Status Follower::watch_events(const std::string& since) {
  const std::string filters =
      JsonObject()
          .add("type", std::vector<std::string>{"container"})
          .add("label",
               std::vector<std::string>{fmt::format("{}={}", label::kProject, options_.project)})
          .text();
  std::string target = fmt::format("{}/events?filters={}", kApi, url_encode(filters));
  if (!since.empty()) target += "&since=" + since;
  event_bytes_.clear();
  events_ = TRY(engine_.http().stream("GET", target));
  return ok_status();
}

Status Follower::on_event(const EngineEvent& event) {
  last_event_ = after(event);
  if (event.attribute(label::kOneOff) == "True") return ok_status();
  const std::string service = event.attribute(label::kService);
  if (!wanted(service)) return ok_status();
  Source* source = find(event.id);
  if (event.action == "start") {
    if (source == nullptr) {
      int number = 0;
      const std::string text = event.attribute(label::kNumber);
      std::from_chars(text.data(), text.data() + text.size(), number);
      if (options_.index != 0 && number != options_.index) return ok_status();
      source = &sources_.emplace_back();
      source->id = event.id;
      source->name = name_in_project(event.attribute("name"), options_.project);
      source->service = service;
    }
    if (source->exit_code) TRY(settle());
    source->running = true;
    source->gone = false;
    source->exit_code.reset();
    source->one_more_look = false;
    if (!source->feed || source->feed->ended()) TRY(open(*source, after(event)));
  } else if (event.action == "die" && source != nullptr && source->running) {
    const std::string text = event.attribute("exitCode");
    int code = 0;
    std::from_chars(text.data(), text.data() + text.size(), code);
    source->exit_code = code;
    source->died = std::chrono::steady_clock::now();
  } else if (event.action == "destroy" && source != nullptr) {
    source->gone = true;
  }
  return ok_status();
}

Status Follower::take_events() {
  const bool more = TRY(events_->read(event_bytes_));
  std::size_t start = 0;
  for (std::size_t newline = 0; (newline = event_bytes_.find('\n', start)) != std::string::npos;
       start = newline + 1) {
    const std::string_view line = std::string_view(event_bytes_).substr(start, newline - start);
    if (line.empty() || line == "\r") continue;
    const EngineEvent event = TRY(parse_event(line));
    TRY(on_event(event));
  }
  event_bytes_.erase(0, start);
  if (!more) return Error::make(ErrorKind::kUnavailable, "the engine ended its stream of events");
  return ok_status();
}

// Prints what has been read, oldest first over all containers.
void Follower::print_lines() {
  struct Ready {
    Source* source;
    LogLine line;
  };
  std::vector<Ready> ready;
  for (Source& source : sources_) {
    if (!source.feed) continue;
    for (LogLine& line : source.feed->lines) ready.push_back({&source, std::move(line)});
    source.feed->lines.clear();
  }
  std::stable_sort(ready.begin(), ready.end(), [](const Ready& a, const Ready& b) {
    return a.line.timestamp < b.line.timestamp;
  });
  std::string out;
  std::string err;
  for (Ready& item : ready) {
    if (!item.line.timestamp.empty()) item.source->last_timestamp = item.line.timestamp;
    std::string text = std::move(item.line.text);
    if (options_.timestamps) text.insert(0, item.line.timestamp + ' ');
    const bool to_stderr = options_.split_streams && item.line.stream == OutputStream::kStderr;
    // Order between the two matters on a terminal: write one out before turning to the other.
    if (to_stderr && !out.empty()) (void)write_all(STDOUT_FILENO, std::exchange(out, {}));
    if (!to_stderr && !err.empty()) (void)write_all(STDERR_FILENO, std::exchange(err, {}));
    (to_stderr ? err : out) += printer_.line(item.source->name, text);
  }
  (void)write_all(STDOUT_FILENO, out);
  (void)write_all(STDERR_FILENO, err);
}

// The stream ended, so the container did: the event says more, but it may never come.
Status Follower::look_after_end(Source& source, TimePoint now) {
  if (!source.one_more_look) {
    source.one_more_look = true;
    source.died = now;
    return ok_status();
  }
  if (now - source.died <= kLastLines) return ok_status();
  const auto details = engine_.inspect(source.id);
  if (!details.ok()) {
    source.running = false;
    source.gone = true;
  } else if (!details->running && !details->restarting) {
    source.exit_code = details->exit_code;
  } else {
    source.one_more_look = false;
    return open(source, behind(source.last_timestamp, options_.since));
  }
  return ok_status();
}

// Reports deaths whose output is complete.
Status Follower::settle() {
  const TimePoint now = std::chrono::steady_clock::now();
  for (Source& source : sources_) {
    const bool drained = !source.feed || source.feed->ended();
    if (source.running && !source.exit_code && drained && source.feed)
      TRY(look_after_end(source, now));
    if (!source.exit_code || (!drained && now - source.died < kLastLines)) continue;
    print_lines();
    const int code = *std::exchange(source.exit_code, std::nullopt);
    const auto details = engine_.inspect(source.id);
    const bool restarting = details.ok() && (details->restarting || details->running);
    source.running = restarting;
    if (restarting && drained && details->running)
      TRY(open(source, behind(source.last_timestamp, options_.since)));
    if (options_.status_lines) {
      (void)write_all(STDOUT_FILENO,
                      printer_.status(fmt::format("{} exited with code {}{}", source.name, code,
                                                  restarting ? " (restarting)" : "")));
    }
    if (!restarting) exits_.push_back({source.id, source.service, code});
  }
  return ok_status();
}

bool Follower::finished() const {
  return std::all_of(sources_.begin(), sources_.end(), [](const Source& source) {
    const bool drained = !source.feed || (source.feed->ended() && source.feed->lines.empty());
    return source.gone || (!source.running && !source.exit_code && drained);
  });
}

Status Follower::reconnect() {
  const EngineAddress address = TRY(engine_address());
  TRY(ensure_engine(address));
  TRY(watch_events(last_event_));
  for (Source& source : sources_) {
    if (source.running) TRY(open(source, behind(source.last_timestamp, options_.since)));
  }
  return ok_status();
}

Result<std::vector<int>> Follower::step(std::span<const int> others,
                                        std::chrono::milliseconds timeout) {
  std::vector<int> fds(others.begin(), others.end());
  bool buffered = false;
  if (events_) {
    fds.push_back(events_->fd());
    buffered = events_->has_buffered();
  }
  for (const Source& source : sources_) {
    if (!source.feed || source.feed->ended()) continue;
    fds.push_back(source.feed->fd());
    buffered = buffered || source.feed->ready();
  }
  const std::vector<int> ready =
      wait_readable(fds, buffered ? std::chrono::milliseconds(0) : timeout);
  const auto is_ready = [&ready](int fd) {
    return std::find(ready.begin(), ready.end(), fd) != ready.end();
  };
  bool lost = false;
  for (Source& source : sources_) {
    if (!source.feed || source.feed->ended()) continue;
    if (!source.feed->ready() && !is_ready(source.feed->fd())) continue;
    if (const Status pumped = source.feed->pump();
        !pumped.ok() && pumped.error().kind == ErrorKind::kUnavailable)
      lost = true;
  }
  print_lines();
  if (events_ && (events_->has_buffered() || is_ready(events_->fd()))) {
    if (Status taken = take_events(); !taken.ok()) {
      if (taken.error().kind != ErrorKind::kUnavailable) return std::move(taken).error();
      lost = true;
    }
  }
  if (lost) {
    TRY_WHILE(reconnect(), "the engine went away");
  } else {
    TRY(settle());
  }
  std::vector<int> theirs;
  std::copy_if(ready.begin(), ready.end(), std::back_inserter(theirs), [others](int fd) {
    return std::find(others.begin(), others.end(), fd) != others.end();
  });
  return theirs;
}

}  // namespace stack::cli
