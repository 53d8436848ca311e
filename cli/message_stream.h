// The engine's streams of JSON messages (pull, push, load, build) as docker shows them: a line per
// layer that changes in place on a terminal, a line per message elsewhere.
#pragma once

#include <map>
#include <string>

#include "base/error.h"
#include "cli/engine_api.h"

namespace stack::cli {

// Pure: what one message adds to the output.
class MessageDisplay {
 public:
  explicit MessageDisplay(bool terminal) : terminal_(terminal) {}
  std::string show(const PullLine& message);

 private:
  bool terminal_;
  std::map<std::string, std::size_t> lines_;  // of layers, from the first; of the current block
};

struct MessageOutput {
  int fd = 1;
  bool quiet = false;
};

// Shows a stream to its end; an error in it, or of the request, is the result. The answer is the
// image's id if a message has it (a build's last), else "".
Result<std::string> show_messages(Result<BodyStream> answer, const MessageOutput& output);

}  // namespace stack::cli
