// The engine's log format: frames of an 8-byte header (stream number, three zeros, length in
// big-endian) and a payload, or raw bytes for a container with a terminal; and lines put together
// from the pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace stack::cli {

enum class OutputStream : std::uint8_t { kStdout = 1, kStderr = 2 };

class FrameDecoder {
 public:
  using Sink = std::function<void(OutputStream, std::string_view payload)>;

  explicit FrameDecoder(bool raw) : raw_(raw) {}
  // Calls the sink for every complete frame (or, raw, with the bytes as they are).
  Status feed(std::string_view bytes, const Sink& sink);
  bool at_frame_boundary() const { return pending_.empty(); }

 private:
  bool raw_;
  std::string pending_;
};

// Whether an answer of this Content-Type carries raw bytes of a terminal. Engines before API 1.42
// do not say: then frames are what a container without a terminal sends, so ask the container.
bool is_raw_stream(std::string_view content_type);

struct LogLine {
  OutputStream stream = OutputStream::kStdout;
  std::string timestamp;  // as the engine wrote it; empty when it was not asked for
  std::string text;       // without the newline
};

// Lines of one container from the payloads of its frames. A message longer than the engine's buffer
// comes in several frames, each under its own timestamp: only the first one counts.
class LineAssembler {
 public:
  using Sink = std::function<void(LogLine)>;

  // `raw`: payloads are arbitrary pieces of a terminal's output, not messages.
  LineAssembler(bool timestamps, bool raw) : timestamps_(timestamps), raw_(raw) {}
  void feed(OutputStream stream, std::string_view payload, const Sink& sink);
  // What is left without a newline when the container has ended.
  void finish(const Sink& sink);

 private:
  struct Partial {
    std::string timestamp;
    std::string text;
    bool open = false;
  };
  void flush(OutputStream stream, Partial& partial, const Sink& sink);

  bool timestamps_;
  bool raw_;
  Partial partials_[3];
};

}  // namespace stack::cli
