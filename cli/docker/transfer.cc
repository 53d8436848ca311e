#include "cli/docker/transfer.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/fd.h"
#include "cli/docker/support.h"
#include "cli/duration_text.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace stack::cli::docker {

namespace {

constexpr std::size_t kBarWidth = 50;

// "[=====>      ]  1.2MB/3.4MB", as wide as fits in `columns`.
std::string bar_text(std::int64_t current, std::int64_t total, std::size_t columns) {
  const auto size = [](std::int64_t bytes) { return human_size(static_cast<double>(bytes), 4); };
  if (total <= 0) return current > 0 ? fmt::format("{:>8}", size(current)) : "";
  const std::string numbers = fmt::format("{:>8}/{}", size(std::min(current, total)), size(total));
  if (columns < 110) return numbers;
  const auto filled = static_cast<std::size_t>(static_cast<double>(std::min(current, total)) /
                                               static_cast<double>(total) * kBarWidth);
  std::string bar(filled, '=');
  if (filled < kBarWidth) bar += '>' + std::string(kBarWidth - filled - 1, ' ');
  return fmt::format("[{}] {}", bar, numbers);
}

class Display {
 public:
  Display(int fd, bool quiet) : fd_(fd), quiet_(quiet), terminal_(is_terminal(fd)) {
    if (const auto size = terminal_ ? window_size(fd) : std::nullopt) columns_ = size->columns;
  }

  void show(JsonView line) {
    if (quiet_) return;
    if (const std::string stream = line.text("stream"); !stream.empty()) {
      write(stream);
      rows_.clear();
      lines_ = 0;
      return;
    }
    const std::string status = line.text("status");
    const std::string id = line.text("id");
    if (status.empty()) return;
    const JsonView detail = line["progressDetail"];
    const std::int64_t current = detail.number("current");
    if (!terminal_) {
      if (current == 0) write(id.empty() ? status + '\n' : fmt::format("{}: {}\n", id, status));
      return;
    }
    std::string text = id.empty() ? status : fmt::format("{}: {}", id, status);
    if (current > 0) text += ' ' + bar_text(current, detail.number("total"), columns_);
    if (id.empty()) {
      write(text + '\n');
      rows_.clear();
      lines_ = 0;
      return;
    }
    draw(id, text);
  }

 private:
  // Each id has a line of its own, counted from the last line that has none.
  void draw(const std::string& id, const std::string& text) {
    const auto [row, fresh] = rows_.try_emplace(id, lines_);
    if (fresh) {
      ++lines_;
      write(text + '\n');
      return;
    }
    const std::size_t up = lines_ - row->second;
    write(fmt::format("\033[{}A\r\033[2K{}\033[{}B\r", up, text, up));
  }

  void write(std::string_view text) { (void)write_all(fd_, text); }

  int fd_;
  bool quiet_;
  bool terminal_;
  std::size_t columns_ = 80;
  std::map<std::string, std::size_t> rows_;
  std::size_t lines_ = 0;
};

Status take_line(std::string_view text, Display& display, TransferResult& result) {
  if (text.find_first_not_of("\r ") == std::string_view::npos) return ok_status();
  const Document document = TRY(Document::parse(text));
  const JsonView line = document.root();
  std::string error = line["errorDetail"].text("message");
  if (error.empty()) error = line.text("error");
  if (!error.empty()) {
    Error out = Error::make(ErrorKind::kUnavailable, std::move(error));
    out.remedy = line.text("remedy");
    return out;
  }
  const JsonView aux = line["aux"];
  if (const std::string id = aux.text(aux["ID"].exists() ? "ID" : "Digest"); !id.empty())
    result.image_id = id;
  if (const std::string status = line.text("status"); !status.empty()) result.last_status = status;
  if (const std::string stream = line.text("stream"); !stream.empty()) result.last_stream = stream;
  display.show(line);
  return ok_status();
}

}  // namespace

Result<TransferResult> show_transfer(Result<BodyStream> answer, const TransferOutput& output) {
  BodyStream stream = TRY(std::move(answer));
  Display display(output.fd, output.quiet);
  TransferResult result;
  std::string pending;
  for (bool more = true; more;) {
    more = TRY(stream.read(pending));
    std::size_t start = 0;
    for (std::size_t newline = 0; (newline = pending.find('\n', start)) != std::string::npos;
         start = newline + 1)
      TRY(take_line(std::string_view(pending).substr(start, newline - start), display, result));
    pending.erase(0, start);
  }
  TRY(take_line(pending, display, result));
  return result;
}

namespace {

Status pull(const ApiClient& http, const std::string& name, const std::string& tag,
            const std::string& platform, const std::string& config_directory,
            const TransferOutput& output) {
  std::string target = fmt::format("{}/images/create?fromImage={}", kApi, url_encode(name));
  if (!tag.empty()) target += "&tag=" + url_encode(tag);
  if (!platform.empty()) target += "&platform=" + url_encode(platform);
  (void)config_directory;
  TRY(show_transfer(http.stream("POST", target), output));
  return ok_status();
}

}  // namespace

Status pull_image(const ApiClient& http, const std::string& reference, const std::string& platform,
                  const std::string& config_directory, const TransferOutput& output) {
  const auto [name, tag] = split_tag(reference);
  const bool latest = tag.empty() && name.find('@') == std::string::npos;
  return pull(http, name, latest ? "latest" : tag, platform, config_directory, output);
}

Status pull_all_tags(const ApiClient& http, const std::string& name, const std::string& platform,
                     const std::string& config_directory, const TransferOutput& output) {
  return pull(http, name, "", platform, config_directory, output);
}

Status push_image(const ApiClient& http, const std::string& target, const std::string& name,
                  const std::string& config_directory, const TransferOutput& output) {
  (void)name;
  (void)config_directory;
  TRY(show_transfer(http.stream("POST", target), output));
  return ok_status();
}

}  // namespace stack::cli::docker
