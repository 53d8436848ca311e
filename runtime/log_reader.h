// Reads json-file logs: the pure record parser, tail, and a cursor that follows the file over
// rotation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace stack::runtime {

struct LogRecord {
  bool is_stderr = false;
  std::string text;  // with its newline; a piece of a long line has none
  WallTime time;
};

// nullopt for a torn or foreign line. `line` without the newline.
std::optional<LogRecord> parse_log_record(std::string_view line);

struct LogQuery {
  bool stdout_ = true;
  bool stderr_ = true;
  std::optional<std::int64_t> tail;  // last N lines of all that match; absent: all
  std::optional<WallTime> since;     // inclusive
  std::optional<WallTime> until;     // inclusive
};

// A position in a container's log. next() never blocks: it gives what is on disk now. With `follow`
// in mind, call it again after the file has changed (inotify on the directory, or a timer): it goes
// on where it stopped, finishes a rotated file through its old descriptor and continues in the new
// one. Once a record is later than `until`, done() is true.
class LogReader {
 public:
  // `file` is LogOptions::file; rotated files file.N beside it are read first. A missing file is an
  // empty log.
  static Result<LogReader> open(std::filesystem::path file, LogQuery query);
  LogReader(LogReader&&) noexcept = default;
  LogReader& operator=(LogReader&&) noexcept = default;

  // At most about `budget` bytes of log are parsed in one call; empty means nothing more now.
  Result<std::vector<LogRecord>> next(std::size_t budget = 256U << 10U);
  bool done() const { return done_; }

 private:
  LogReader() = default;
  Status seek_tail();
  bool accept(const LogRecord& record);
  bool reopen_current();

  std::filesystem::path file_;
  LogQuery query_;
  std::vector<Fd> pending_;  // older files, oldest last
  Fd current_;
  std::uint64_t offset_ = 0;
  std::string partial_;  // an incomplete record at the end of what was read
  bool done_ = false;
};

}  // namespace stack::runtime
