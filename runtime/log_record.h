// The json-file record, byte for byte as Docker's: {"log":"TEXT\n","stream":"stdout","time":"..."}.
// Without heap; the shim writes with it and the tests check it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stack::runtime {

// A line longer than this is written in pieces of exactly this size, the last one with the newline.
inline constexpr std::size_t kLogPiece = 16384;
// Room for the record of one piece in the worst case: six bytes for each of them and its newline,
// and the frame.
inline constexpr std::size_t kLogRecordMax = (kLogPiece + 1) * 6 + 128;

// Writes the escaped text and returns its length. `out` has room for 6 bytes for each byte of text.
std::size_t escape_log_text(std::string_view text, char* out);

// RFC 3339 in UTC with the trailing zeros of the fraction trimmed: "2026-11-24T19:02:52.1896Z". At
// most 30 bytes. The text of the second is kept between calls.
class LogTime {
 public:
  void set(std::int64_t seconds, std::uint32_t nanoseconds);
  std::string_view text() const { return {text_, size_}; }

 private:
  char text_[32] = {};
  std::size_t size_ = 0;
  std::int64_t second_ = -1;
};

// The whole record with its newline. `text` is at most kLogPiece + 1 bytes.
std::size_t encode_log_record(std::string_view text, bool is_stderr, std::string_view time,
                              char* out);

}  // namespace stack::runtime
