// What the engine is doing, for people: a list of resources and their states on stderr.
// ProgressBoard is the pure part (events in, text out); ProgressPrinter writes it as the mode asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace stack::cli {

enum class ProgressMode { kPlain, kTerminal, kJson, kQuiet };
enum class StepKind { kWorking, kDone, kWarning, kError };

struct ProgressEvent {
  std::string id;  // "Container web-1"
  std::string parent;
  std::string text;
  std::string status;  // "Starting"
  StepKind kind = StepKind::kWorking;
  std::int64_t current = 0;
  std::int64_t total = 0;
};

// " Network demo_default  Creating": one space between the parts, also where one is empty.
std::string plain_progress_line(const ProgressEvent& event, bool dry_run);
std::string json_progress_line(const ProgressEvent& event, bool dry_run);

class ProgressBoard {
 public:
  explicit ProgressBoard(std::string title) : title_(std::move(title)) {}

  // An event of a resource that is already on the board replaces its state.
  void apply(const ProgressEvent& event, TimePoint now);
  // The lines of the display, none wider than `columns` and at most `rows`; resources at work come
  // first when not all fit.
  std::vector<std::string> lines(TimePoint now, unsigned columns, unsigned rows, bool colour,
                                 bool dry_run) const;
  bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    ProgressEvent event;
    TimePoint begun;
    TimePoint ended;
  };
  std::string line(const Entry& entry, std::size_t label_width, TimePoint now, unsigned columns,
                   bool colour, bool dry_run) const;

  std::string title_;
  std::vector<Entry> entries_;
};

class ProgressPrinter {
 public:
  struct Options {
    ProgressMode mode = ProgressMode::kPlain;
    int fd = 2;
    bool colour = false;
    bool dry_run = false;
    std::string title = "Running";  // Creating, Stopping, ...
  };
  explicit ProgressPrinter(Options options)
      : options_(std::move(options)), board_(options_.title) {}
  ~ProgressPrinter() { finish(); }
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  void event(const ProgressEvent& event);
  // A line of other output (a warning), above the display.
  void line(std::string_view text);
  // A line of a build's output. Without a display it is what the command gives out, as Docker has
  // it, and goes to stdout.
  void log(std::string_view text);
  // Redraws the elapsed times and spinners; for the terminal, every 100 ms.
  void tick();
  bool animated() const { return options_.mode == ProgressMode::kTerminal; }
  // The last drawing stays.
  void finish();

 private:
  void draw();
  void erase();

  Options options_;
  ProgressBoard board_;
  std::size_t drawn_ = 0;
  bool cursor_hidden_ = false;
};

}  // namespace stack::cli
