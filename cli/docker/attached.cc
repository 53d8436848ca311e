#include "cli/docker/attached.h"

#include <fmt/core.h>
#include <unistd.h>

#include "cli/docker/support.h"
#include "cli/terminal.h"

namespace stack::cli::docker {

namespace {

Result<int> exit_code(BodyStream& waiting) {
  std::string body;
  while (TRY(waiting.read(body))) {
  }
  const Document answer = TRY(Document::parse(body));
  if (const std::string message = answer["Error"].text("Message"); !message.empty())
    return Error::make(ErrorKind::kInternal, "Error response from daemon: " + message);
  return static_cast<int>(answer.root().number("StatusCode"));
}

}  // namespace

Status check_input_terminal(bool tty, bool input) {
  if (!tty || !input || is_terminal(STDIN_FILENO)) return ok_status();
  return Error::invalid("the input device is not a TTY")
      .fix("Leave -t out when input comes from a pipe or a file: -i alone.");
}

int start_failure_code(const Error& error) {
  const std::string& text = error.message;
  const auto says = [&text](std::string_view words) {
    return text.find(words) != std::string::npos;
  };
  if (says("executable file not found") || says("no such file or directory") ||
      says("system cannot find the file"))
    return 127;
  if (says("permission denied") || says("is a directory") || says("exec format error")) return 126;
  return 125;
}

Result<AttachedExit> attach_container(const Engine& engine, const std::string& id,
                                      const AttachOptions& options) {
  const std::string container = container_path(id);
  const auto flag = [](bool on) { return on ? 1 : 0; };
  std::string target = fmt::format("{}/attach?stream=1&stdin={}&stdout={}&stderr={}", container,
                                   flag(options.input), flag(options.output), flag(options.error));
  const std::string keys =
      options.detach_keys.empty() ? std::string(kDefaultDetachKeys) : options.detach_keys;
  SessionOptions session;
  session.detach_keys = TRY(DetachKeys::parse(keys));
  if (!options.detach_keys.empty()) target += "&detachKeys=" + url_encode(options.detach_keys);
  session.tty = options.tty;
  session.input = options.input;
  if (options.tty) {
    session.resize = [&](WindowSize size) {
      // A container that has ended meanwhile needs no size.
      (void)engine.http().post(
          fmt::format("{}/resize?h={}&w={}", container, size.rows, size.columns));
    };
  }
  if (options.signal_proxy && !options.tty) {
    session.signal = [&](int signal) {
      (void)engine.http().post(fmt::format("{}/kill?signal={}", container, signal));
    };
  }
  Hijacked connection = TRY(engine.http().hijack(target));
  const std::string_view condition = options.removed_when_done ? "removed"
                                     : options.start           ? "next-exit"
                                                               : "not-running";
  BodyStream waiting =
      TRY(engine.http().stream("POST", fmt::format("{}/wait?condition={}", container, condition)));
  if (options.start) TRY(engine.http().post(container + "/start"));
  if (TRY(run_session(std::move(connection), session)) == SessionEnd::kDetached)
    return AttachedExit{0, true};
  return AttachedExit{TRY(exit_code(waiting)), false};
}

}  // namespace stack::cli::docker
