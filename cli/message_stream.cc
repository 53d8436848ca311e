#include "cli/message_stream.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/fd.h"
#include "cli/terminal.h"

namespace stack::cli {

std::string MessageDisplay::show(const PullLine& message) {
  if (!message.stream.empty()) return message.stream;
  if (message.status.empty()) return "";
  const bool progress = !message.progress.empty();
  std::string text = message.id.empty() ? "" : message.id + ": ";
  text += message.status;
  if (!terminal_) return progress ? "" : text + "\n";
  if (progress) text += ' ' + message.progress;
  if (message.id.empty()) {
    lines_.clear();  // what comes next stands below this line
    return text + "\n";
  }
  const auto [at, fresh] = lines_.emplace(message.id, lines_.size());
  std::string out = fresh ? "\n" : "";
  const std::size_t up = lines_.size() - at->second;
  out += fmt::format("\033[{0}A\033[2K\r{1}\r\033[{0}B", up, text);
  return out;
}

Result<std::string> show_messages(Result<BodyStream> answer, const MessageOutput& output) {
  BodyStream stream = TRY(std::move(answer));
  MessageDisplay display(is_terminal(output.fd));
  std::string image_id;
  std::string pending;
  for (bool more = true; more;) {
    more = TRY(stream.read(pending));
    std::size_t start = 0;
    while (start < pending.size()) {
      const std::size_t newline = pending.find('\n', start);
      if (newline == std::string::npos && more) break;
      const std::size_t end = std::min(newline, pending.size());
      const std::string_view text = std::string_view(pending).substr(start, end - start);
      start = std::min(end + 1, pending.size());
      if (text.find_first_not_of("\r ") == std::string_view::npos) continue;
      const PullLine line = TRY(parse_pull_line(text));
      if (!line.error.empty()) return Error::make(ErrorKind::kUnavailable, line.error);
      if (!line.image_id.empty()) image_id = line.image_id;
      if (!output.quiet) (void)write_all(output.fd, display.show(line));
    }
    pending.erase(0, start);
  }
  return image_id;
}

}  // namespace stack::cli
