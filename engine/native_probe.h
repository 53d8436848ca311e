// Health checks that need no process: {"PROBE", URI} of compose/probe.h. The socket is made inside
// the container's network namespace (or, for unix, found in its file system) and then spoken to
// from the event loop, so that a probe that hangs costs a descriptor and no thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"

namespace stack::engine {

struct ProbeTarget {
  enum class Kind { kHttp, kTcp, kUnix, kRedis } kind = Kind::kTcp;
  std::string address;  // without brackets
  int port = 0;
  std::string path;  // http: with its query; unix: of the socket
};
// kInvalid when the URI is none of ours.
Result<ProbeTarget> parse_probe(std::string_view uri);

struct ProbeVerdict {
  int exit_code = 0;  // 0 healthy, 1 not
  std::string output;
};
// What the answer so far means; nullopt: more is needed. `ended`: nothing more comes.
std::optional<ProbeVerdict> judge_answer(const ProbeTarget& target, std::string_view received,
                                         bool ended);

// A non-blocking socket whose connection is under way. Takes the calling thread into the
// container's network namespace and then to `own_netns`: for threads that do nothing else.
Result<Fd> connect_probe(const ProbeTarget& target, pid_t container, int own_netns);

class NativeProbe {
 public:
  // `done` is called once, on the loop, unless the probe is destroyed before (which ends it).
  NativeProbe(EventLoop& loop, Fd socket, ProbeTarget target,
              std::function<void(ProbeVerdict)> done);
  ~NativeProbe();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace stack::engine
