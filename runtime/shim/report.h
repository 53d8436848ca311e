// How a failure leaves the process that is being set up: one message on the socket to the shim (or,
// for an exec, to the engine), then the end.
#pragma once

#include "runtime/plan_wire.h"
#include "runtime/shim/sys.h"

namespace stack::shim {

using runtime::wire::Report;
using runtime::wire::ReportHead;
using runtime::wire::Stage;

using Detail = Text<3072>;

inline void report(int socket, Report kind, Stage stage, int error, std::string_view text,
                   int fd = -1, int pid = 0, std::uint64_t start_time = 0) {
  char message[runtime::wire::kMaxReport];
  ReportHead head;
  head.kind = kind;
  head.stage = stage;
  head.error = error;
  head.pid = pid;
  head.start_time = start_time;
  std::memcpy(message, &head, sizeof head);
  const std::size_t room = sizeof message - sizeof head;
  const std::size_t size = text.size() < room ? text.size() : room;
  std::memcpy(message + sizeof head, text.data(), size);
  send_message(socket, message, sizeof head + size, fd);
}

// The state of a setup: where to report, and the stage for messages.
struct Setup {
  int socket = -1;
  Stage stage = Stage::kShim;

  [[noreturn]] void fail(std::string_view text, int error = errno) const {
    report(socket, Report::kFailed, stage, error, text);
    ::_exit(127);
  }
  void need(bool condition, std::string_view text) const {
    if (!condition) fail(text);
  }
};

}  // namespace stack::shim
