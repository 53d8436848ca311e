// logs.
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>

#include "base/fd.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/duration_text.h"
#include "cli/log_stream.h"

namespace stack::cli::docker {

namespace {

constexpr FlagSpec kFlags[] = {
    {"details", 0, FlagType::kBool, "Show extra details provided to logs"},
    {"follow", 'f', FlagType::kBool, "Follow log output"},
    {"since", 0, FlagType::kString,
     "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 "
     "minutes)"},
    {"tail", 'n', FlagType::kString, "Number of lines to show from the end of the logs", "all"},
    {"timestamps", 't', FlagType::kBool, "Show timestamps"},
    {"until", 0, FlagType::kString,
     "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for "
     "42 minutes)"},
};

Result<int> logs(Context& context, const Arguments& args) {
  const Engine* engine = TRY(context.engine());
  const std::string container = container_path(args.positional[0]);
  const Document found = TRY(get_document(*engine, container + "/json"));
  const auto flag = [&args](const char* name) { return args.on(name) ? 1 : 0; };
  std::string target = fmt::format(
      "{}/logs?stdout=1&stderr=1&follow={}&timestamps={}&details={}&tail={}", container,
      flag("follow"), flag("timestamps"), flag("details"), url_encode(args.text("tail")));
  const auto now = std::chrono::system_clock::now();
  for (const char* when : {"since", "until"}) {
    if (args.given(when))
      target += fmt::format("&{}={}", when, TRY(api_timestamp(args.text(when), now)));
  }
  BodyStream stream = TRY(engine->http().stream("GET", target));
  FrameDecoder frames(found["Config"].truth("Tty"));
  std::string bytes;
  for (bool more = true; more;) {
    bytes.clear();
    more = TRY(stream.read(bytes));
    Status written = ok_status();
    TRY(frames.feed(bytes, [&written](OutputStream stream_of, std::string_view payload) {
      if (written.ok())
        written =
            write_all(stream_of == OutputStream::kStderr ? STDERR_FILENO : STDOUT_FILENO, payload);
    }));
    TRY(std::move(written));
  }
  return 0;
}

}  // namespace

constinit const Command kLogs{.name = "logs",
                              .usage = "[OPTIONS] CONTAINER",
                              .summary = "Fetch the logs of a container",
                              .flags = kFlags,
                              .min_args = 1,
                              .run = logs,
                              .words = Words::kDocker,
                              .max_args = 1};

}  // namespace stack::cli::docker
