// What a run tells the person who waits for it. The words are those of Docker Compose, so that
// people and scripts recognise them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

namespace stack::scheduler {

enum class ProgressKind { kWorking, kDone, kWarning, kError };
std::string_view to_string(ProgressKind kind);  // "working", "done", "warning", "error"

struct ProgressEvent {
  std::string id;      // "Container proj-web-1", "Network proj_default", "Image nginx"
  std::string status;  // "Creating", "Created", ...
  ProgressKind kind = ProgressKind::kWorking;
  std::string text;          // details, as of an error
  std::string parent;        // id of the event that this is a part of, as a layer of an image
  std::int64_t current = 0;  // bytes
  std::int64_t total = 0;

  bool operator==(const ProgressEvent&) const = default;
};

// A line of output of a build or a hook.
struct OutputLine {
  std::string id;
  std::string stream = "stdout";
  std::string text;
};

struct Warning {
  std::string text;
};

using ProgressLine = std::variant<ProgressEvent, OutputLine, Warning>;
// Called on the event loop only. May be empty.
using ProgressSink = std::function<void(const ProgressLine&)>;

}  // namespace stack::scheduler
