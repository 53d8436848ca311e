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

// Shows a stream to its end on stdout (nothing when quiet); an error in it is the result.
Status show_messages(BodyStream stream, bool quiet);

}  // namespace stack::cli
