// logs.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/fd.h"
#include "cli/containers.h"
#include "cli/duration_text.h"
#include "cli/follow.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace stack::cli {

namespace {

constexpr FlagSpec kFlags[] = {
    {"follow", 'f', FlagType::kBool, "Follow log output"},
    {"index", 0, FlagType::kInt, "index of the container if service has multiple replicas"},
    {"no-color", 0, FlagType::kBool, "Produce monochrome output"},
    {"no-log-prefix", 0, FlagType::kBool, "Don't print prefix in logs"},
    {"since", 0, FlagType::kString,
     "Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)"},
    {"tail", 'n', FlagType::kString,
     "Number of lines to show from the end of the logs for each container", "all"},
    {"timestamps", 't', FlagType::kBool, "Show timestamps"},
    {"until", 0, FlagType::kString,
     "Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 "
     "minutes)"},
};

struct Source {
  std::string name;
  LogFeed feed;
};

constexpr std::size_t kOutputBuffer = 65536;

// Everything there is, oldest line first: the streams are merged as they are read, so that memory
// does not grow with the logs.
Status print_merged(std::vector<Source> sources, LogPrinter& printer, bool timestamps) {
  std::string out;
  for (;;) {
    Source* oldest = nullptr;
    for (Source& source : sources) {
      while (source.feed.lines.empty() && !source.feed.ended()) TRY(source.feed.pump());
      if (source.feed.lines.empty()) continue;
      if (oldest == nullptr ||
          source.feed.lines.front().timestamp < oldest->feed.lines.front().timestamp)
        oldest = &source;
    }
    if (oldest == nullptr) break;
    const LogLine line = std::move(oldest->feed.lines.front());
    oldest->feed.lines.pop_front();
    out += printer.line(oldest->name, timestamps ? line.timestamp + ' ' + line.text : line.text);
    if (out.size() > kOutputBuffer) TRY(write_all(STDOUT_FILENO, std::exchange(out, {})));
  }
  return write_all(STDOUT_FILENO, out);
}

Result<int> follow(Context& context, const Engine& engine, FollowOptions options,
                   const std::vector<Container>& containers) {
  SignalWatch signals = TRY(SignalWatch::watch({SIGINT, SIGTERM}));
  Follower follower(engine, std::move(options));
  const std::string now = TRY(api_timestamp("0s", std::chrono::system_clock::now()));
  TRY(follower.watch_events(now));
  TRY(follower.add(containers));
  const int others[] = {signals.fd()};
  while (!follower.finished()) {
    if (!TRY(follower.step(others, std::chrono::milliseconds(200))).empty()) return 130;
    (void)follower.take_exits();  // not shown here
  }
  (void)context;
  return 0;
}

Result<int> logs(Context& context, const Arguments& args) {
  const long index = args.number("index").value_or(0);
  if (index > 0 && args.positional.size() != 1)
    return Error::invalid("--index requires one service to be selected");
  const ProjectScope scope = TRY(context.scope(args.positional));
  auto containers = TRY(project_containers(context, scope, args.positional, true));
  std::erase_if(containers, [index](const Container& c) {
    return c.one_off() || (index > 0 && c.number() != index);
  });
  if (index > 0 && containers.empty()) {
    return Error::not_found(
        fmt::format("service \"{}\" has no container #{}", args.positional[0], index));
  }
  const auto now = std::chrono::system_clock::now();
  LogQuery query;
  // As Compose: what is no number means all.
  const std::string tail = args.text("tail");
  query.tail =
      !tail.empty() && tail.find_first_not_of("0123456789") == std::string::npos ? tail : "all";
  if (args.given("since")) query.since = TRY(api_timestamp(args.text("since"), now));
  if (args.given("until")) query.until = TRY(api_timestamp(args.text("until"), now));
  LogPrinter::Options format;
  format.colour = context.colour_stdout() && !args.on("no-color");
  format.prefix = !args.on("no-log-prefix");
  const Engine* engine = TRY(context.engine());
  if (args.on("follow")) {
    FollowOptions options;
    options.project = scope.name;
    options.services.insert(args.positional.begin(), args.positional.end());
    options.format = format;
    options.timestamps = args.on("timestamps");
    options.tail = query.tail;
    options.since = query.since;
    options.index = static_cast<int>(index);
    return follow(context, *engine, std::move(options), containers);
  }
  LogPrinter printer(format);
  std::vector<Source> sources;
  for (const Container& container : containers) {
    auto feed = LogFeed::open(*engine, container.id, query);
    if (!feed.ok() && feed.error().kind == ErrorKind::kNotFound) continue;  // removed meanwhile
    if (!feed.ok()) return std::move(feed).error();
    sources.push_back({name_in_project(container.name, scope.name), std::move(*feed)});
  }
  TRY(print_merged(std::move(sources), printer, args.on("timestamps")));
  return 0;
}

}  // namespace

constinit const Command kLogsCommand{
    "logs", "[OPTIONS] [SERVICE...]", "View output from containers", kFlags, 0, logs};

}  // namespace stack::cli
