#include "cli/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/fd.h"
#include "cli/duration_text.h"
#include "cli/json_text.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace stack::cli {

namespace {

constexpr std::string_view kDryRun = "DRY-RUN MODE - ";
constexpr std::string_view kReset = "\033[0m";
constexpr std::array<std::string_view, 10> kSpinner{"⠋", "⠙", "⠹", "⠸", "⠼",
                                                    "⠴", "⠦", "⠧", "⠇", "⠏"};

std::string painted(std::string_view text, std::string_view code, bool colour) {
  if (!colour) return std::string(text);
  return fmt::format("\033[{}m{}{}", code, text, kReset);
}

std::string_view colour_of(StepKind kind) {
  switch (kind) {
    case StepKind::kWorking:
      return "33";
    case StepKind::kDone:
      return "32";
    case StepKind::kWarning:
      return "33;1";
    case StepKind::kError:
      return "31;1";
  }
  return "0";
}

std::string amount(const ProgressEvent& event) {
  if (event.total <= 0)
    return event.current > 0 ? human_size(static_cast<double>(event.current)) : "";
  return fmt::format("{}/{}", human_size(static_cast<double>(event.current)),
                     human_size(static_cast<double>(event.total)));
}

}  // namespace

std::string plain_progress_line(const ProgressEvent& event, bool dry_run) {
  std::string out =
      fmt::format(" {}{} {} {}", dry_run ? kDryRun : "", event.id, event.text, event.status);
  if (event.kind == StepKind::kWorking && event.total > 0) out += ' ' + amount(event);
  return out;
}

std::string json_progress_line(const ProgressEvent& event, bool dry_run) {
  JsonObject object;
  if (dry_run) object.add("dry-run", true);
  object.add("id", event.id);
  if (!event.parent.empty()) object.add("parent_id", event.parent);
  if (!event.text.empty()) object.add("text", event.text);
  if (!event.status.empty()) object.add("status", event.status);
  if (event.current > 0) object.add("current", event.current);
  if (event.total > 0) {
    object.add("total", event.total);
    if (event.current > 0)
      object.add("percent", static_cast<int>(event.current * 100 / event.total));
  }
  return object.text();
}

void ProgressBoard::apply(const ProgressEvent& event, TimePoint now) {
  auto found = std::find_if(entries_.begin(), entries_.end(),
                            [&event](const Entry& e) { return e.event.id == event.id; });
  if (found == entries_.end()) {
    entries_.push_back(Entry{event, now, now});
    return;
  }
  // A new piece of work on the same resource (created, now starting) is timed from its own
  // beginning.
  if (found->event.kind == StepKind::kDone && event.kind == StepKind::kWorking) found->begun = now;
  found->event = event;
  found->ended = now;
}

std::string ProgressBoard::line(const Entry& entry, std::size_t label_width, TimePoint now,
                                unsigned columns, bool colour, bool dry_run) const {
  const ProgressEvent& event = entry.event;
  const bool working = event.kind == StepKind::kWorking;
  const Duration elapsed = (working ? now : entry.ended) - entry.begun;
  std::string_view mark = "✔";
  if (working) {
    const auto step = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count() / 100;
    mark = kSpinner[static_cast<std::size_t>(step) % kSpinner.size()];
  } else if (event.kind == StepKind::kWarning) {
    mark = "!";
  } else if (event.kind == StepKind::kError) {
    mark = "✘";
  }
  const std::string time = elapsed_text(elapsed);
  const std::string indent = event.parent.empty() ? " " : "   ";
  std::string label = event.id;
  if (!event.text.empty()) label += ' ' + event.text;
  std::string status = event.status;
  if (working && (event.total > 0 || event.current > 0)) status += ' ' + amount(event);
  const std::string prefix = dry_run ? std::string(kDryRun) : "";
  const std::size_t fixed = indent.size() + 1 + 1 + display_width(prefix) + 2 + 1 + time.size();
  std::size_t room = columns > fixed ? columns - fixed : 0;
  label = ellipsis(label, std::max<std::size_t>(8, room * 2 / 3));
  const std::size_t label_cells =
      std::max(display_width(label), std::min(label_width, room * 2 / 3));
  room = room > label_cells ? room - label_cells : 0;
  status = ellipsis(status, std::max<std::size_t>(1, room));
  std::string out = indent + painted(mark, colour_of(event.kind), colour) + ' ' + prefix + label;
  out.append(label_cells - std::min(label_cells, display_width(label)) + 2, ' ');
  out += painted(status, colour_of(event.kind), colour);
  out.append(room > display_width(status) ? room - display_width(status) + 1 : 1, ' ');
  return out + painted(time, "34", colour);
}

std::vector<std::string> ProgressBoard::lines(TimePoint now, unsigned columns, unsigned rows,
                                              bool colour, bool dry_run) const {
  std::size_t finished = 0;
  std::size_t label_width = 0;
  std::vector<const Entry*> shown;
  for (const Entry& entry : entries_) {
    if (entry.event.kind != StepKind::kWorking) ++finished;
    std::size_t width = display_width(entry.event.id);
    if (!entry.event.text.empty()) width += 1 + display_width(entry.event.text);
    label_width = std::max(label_width, width);
    shown.push_back(&entry);
  }
  const bool complete = finished == entries_.size();
  std::vector<std::string> out{
      painted(fmt::format("[+] {} {}/{}", title_, finished, entries_.size()), complete ? "34" : "0",
              colour && complete)};
  const std::size_t room = rows > 3 ? rows - 2 : 1;
  std::size_t hidden = 0;
  if (shown.size() > room) {
    // Those at work or failed say more than those that are done.
    std::stable_partition(shown.begin(), shown.end(),
                          [](const Entry* e) { return e->event.kind != StepKind::kDone; });
    hidden = shown.size() - (room - 1);
    shown.resize(room - 1);
  }
  for (const Entry* entry : shown)
    out.push_back(line(*entry, label_width, now, columns, colour, dry_run));
  if (hidden > 0) out.push_back(fmt::format(" ... {} more", hidden));
  return out;
}

void ProgressPrinter::event(const ProgressEvent& event) {
  switch (options_.mode) {
    case ProgressMode::kQuiet:
      return;
    case ProgressMode::kPlain:
      (void)write_all(options_.fd,
                      plain_progress_line(event, options_.dry_run) + '\n');  // nobody to tell
      return;
    case ProgressMode::kJson:
      (void)write_all(options_.fd, json_progress_line(event, options_.dry_run) + '\n');
      return;
    case ProgressMode::kTerminal:
      board_.apply(event, std::chrono::steady_clock::now());
      return;
  }
}

void ProgressPrinter::line(std::string_view text) {
  if (options_.mode == ProgressMode::kQuiet) return;
  erase();
  if (options_.mode == ProgressMode::kJson) {
    (void)write_all(options_.fd, JsonObject().add("text", text).text() + '\n');
  } else {
    (void)write_all(options_.fd, std::string(text) + '\n');
  }
  if (animated() && !board_.empty()) draw();
}

void ProgressPrinter::log(std::string_view text) {
  if (options_.mode != ProgressMode::kPlain) return line(text);
  (void)write_all(STDOUT_FILENO, std::string(text) + '\n');
}

void ProgressPrinter::tick() {
  if (!animated() || board_.empty()) return;
  draw();
}

void ProgressPrinter::erase() {
  if (drawn_ == 0) return;
  (void)write_all(options_.fd, fmt::format("\033[{}A\033[0J", drawn_));
  drawn_ = 0;
}

void ProgressPrinter::draw() {
  const WindowSize size = window_size(options_.fd).value_or(WindowSize{});
  const auto lines = board_.lines(std::chrono::steady_clock::now(), size.columns, size.rows,
                                  options_.colour, options_.dry_run);
  // One write inside a synchronized update (DEC mode 2026): no flicker, and terminals that do not
  // know it ignore it.
  std::string out = "\033[?2026h";
  if (!cursor_hidden_) out += "\033[?25l";
  cursor_hidden_ = true;
  if (drawn_ > 0) out += fmt::format("\033[{}A", drawn_);
  for (const std::string& text : lines) out += text + "\033[0K\n";
  out += "\033[0J\033[?2026l";
  drawn_ = lines.size();
  (void)write_all(options_.fd, out);
}

void ProgressPrinter::finish() {
  if (!animated()) return;
  if (!board_.empty()) draw();
  if (cursor_hidden_) (void)write_all(options_.fd, "\033[?25h");
  cursor_hidden_ = false;
  drawn_ = 0;
  board_ = ProgressBoard(options_.title);
}

}  // namespace stack::cli
