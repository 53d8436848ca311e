// The output of one container as the engine's log has it, line by line.
#pragma once

#include <deque>
#include <string>

#include "cli/engine_api.h"
#include "cli/log_stream.h"

namespace stack::cli {

struct LogQuery {
  bool follow = false;
  std::string tail = "all";
  std::string since;  // as the API takes it
  std::string until;
};

class LogFeed {
 public:
  static Result<LogFeed> open(const Engine& engine, const std::string& container_id,
                              const LogQuery& query);

  int fd() const { return ended_ ? -1 : stream_.fd(); }
  bool ended() const { return ended_; }
  bool ready() const { return !ended_ && stream_.has_buffered(); }
  // Reads once, waiting if nothing is there; lines appear in `lines`.
  Status pump();

  std::deque<LogLine> lines;  // every line has its timestamp

 private:
  LogFeed(BodyStream stream, bool raw)
      : stream_(std::move(stream)), frames_(raw), assembler_(true, raw) {}

  BodyStream stream_;
  FrameDecoder frames_;
  LineAssembler assembler_;
  std::string bytes_;
  bool ended_ = false;
};

}  // namespace stack::cli
