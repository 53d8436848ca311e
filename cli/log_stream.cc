#include "cli/log_stream.h"

#include <fmt/core.h>

namespace stack::cli {

namespace {

constexpr std::size_t kHeader = 8;

// The length of "2026-11-24T20:18:59.350586064Z " at the start of `text`, 0 when there is none.
std::size_t timestamp_length(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || space < 20 || space > 40) return 0;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':') return 0;
  return space;
}

}  // namespace

Status FrameDecoder::feed(std::string_view bytes, const Sink& sink) {
  if (raw_) {
    if (!bytes.empty()) sink(OutputStream::kStdout, bytes);
    return ok_status();
  }
  pending_ += bytes;
  std::size_t at = 0;
  while (pending_.size() - at >= kHeader) {
    const auto byte = [this, at](std::size_t i) {
      return static_cast<unsigned char>(pending_[at + i]);
    };
    if (byte(0) > 3 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) {
      return Error::make(ErrorKind::kUnavailable,
                         "the engine's log stream is damaged: a frame has no valid header");
    }
    const std::size_t length = (std::size_t{byte(4)} << 24U) | (std::size_t{byte(5)} << 16U) |
                               (std::size_t{byte(6)} << 8U) | std::size_t{byte(7)};
    if (pending_.size() - at - kHeader < length) break;
    const std::string_view payload = std::string_view(pending_).substr(at + kHeader, length);
    if (byte(0) == 3) {  // the engine's own error, at the end of a stream
      return Error::make(ErrorKind::kUnavailable, std::string(payload));
    }
    sink(byte(0) == 2 ? OutputStream::kStderr : OutputStream::kStdout, payload);
    at += kHeader + length;
  }
  pending_.erase(0, at);
  return ok_status();
}

bool is_raw_stream(std::string_view content_type) {
  return content_type == "application/vnd.docker.raw-stream";
}

void LineAssembler::feed(OutputStream stream, std::string_view payload, const Sink& sink) {
  Partial& partial = partials_[static_cast<std::size_t>(stream)];
  bool payload_start = true;
  while (!payload.empty()) {
    if (timestamps_ && !raw_ && (payload_start || !partial.open)) {
      if (const std::size_t length = timestamp_length(payload); length > 0) {
        if (!partial.open) partial.timestamp = payload.substr(0, length);
        payload.remove_prefix(length + 1);
      }
    }
    payload_start = false;
    partial.open = true;
    const std::size_t newline = payload.find('\n');
    if (newline == std::string_view::npos) {
      partial.text += payload;
      return;
    }
    partial.text += payload.substr(0, newline);
    flush(stream, partial, sink);
    payload.remove_prefix(newline + 1);
  }
}

void LineAssembler::finish(const Sink& sink) {
  for (const OutputStream stream : {OutputStream::kStdout, OutputStream::kStderr}) {
    Partial& partial = partials_[static_cast<std::size_t>(stream)];
    if (partial.open) flush(stream, partial, sink);
  }
}

void LineAssembler::flush(OutputStream stream, Partial& partial, const Sink& sink) {
  if (timestamps_ && raw_) {
    if (const std::size_t length = timestamp_length(partial.text); length > 0) {
      partial.timestamp = partial.text.substr(0, length);
      partial.text.erase(0, length + 1);
    }
  }
  LogLine line{stream, std::move(partial.timestamp), std::move(partial.text)};
  partial = Partial{};
  sink(std::move(line));
}

}  // namespace stack::cli
