// The container's log on disk: lines of both streams become json-file records, gathered and written
// in large pieces, with rotation by size.
#pragma once

#include <cstdint>
#include <string_view>

#include "runtime/log_record.h"
#include "runtime/shim/sys.h"

namespace stack::shim {

class LogFile {
 public:
  // False when the file cannot be opened. An empty path discards everything.
  bool open(std::string_view path, std::uint64_t max_size, std::uint32_t max_file);

  // What came from one stream in one read. Whole lines are recorded, the rest is kept for the next
  // call.
  void add(bool is_stderr, std::string_view bytes);
  // End of a stream: what is left is recorded without a newline.
  void finish(bool is_stderr);
  // What has come of a line whose end has not.
  std::string_view unfinished(bool is_stderr) const;
  // To disk with what is gathered. Called after each round of reads.
  void flush();
  // Gives the buffers' memory back; after a quiet moment. Unfinished lines are kept.
  void release_memory();

 private:
  void record(bool is_stderr, std::string_view text, std::int64_t seconds,
              std::uint32_t nanoseconds);
  void rotate();

  Text<4096> path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;  // on disk and gathered
  std::uint64_t max_size_ = 0;
  std::uint32_t max_file_ = 1;
  std::size_t gathered_ = 0;
  runtime::LogTime time_;
};

}  // namespace stack::shim
