// One request and its answer, as handlers see it: whole, streamed, or by taking the connection
// over. For the loop's thread. Handlers keep the shared pointer as long as they work; letting the
// last one go unanswered makes an error of status 500. After the client has gone every member does
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "engine/api/request.h"

namespace stack::engine::api {

using Headers = std::vector<std::pair<std::string, std::string>>;

// What a taken-over connection is joined with.
struct Hijack {
  // Either one descriptor for both directions (attach: a stream socket; exec -t: a terminal) ...
  Fd duplex;
  bool duplex_is_terminal = false;
  // ... or pipes, whose output is framed.
  Fd in, out, err;
  bool raw = false;          // no frames in what is sent: decides the content type
  bool web_socket = false;   // as messages of a web socket, without frames
  bool client_input = true;  // false: what the client sends is thrown away
  std::string first;         // sent before everything else: attach with logs=1
  std::optional<std::string>
      detach_keys;  // bytes; typing them ends the connection, not the program
  // Called when the output has ended; the connection is closed once it calls back. An exec waits
  // here for its exit code, so that a client that asks for it afterwards gets it.
  std::function<void(std::function<void()>)> before_end;
  std::function<void()> done;  // when the connection is closed
};

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;

  virtual void respond(int status, std::string_view content_type, std::string body,
                       Headers extra = {}) = 0;

  // A streamed answer: begin, any number of writes, finish. Headers go out at once.
  virtual void begin(int status, std::string_view content_type, Headers extra = {}) = 0;
  virtual void write(std::string bytes) = 0;
  virtual std::size_t queued() const = 0;  // bytes written that the client has not taken
  // Called each time the queue has become empty; a writer of much waits for it.
  virtual void on_drain(std::function<void()> fn) = 0;
  virtual void finish() = 0;
  virtual void abort() = 0;  // cut short: the client sees a broken stream
  virtual bool begun() const = 0;

  // Called once when the client goes away before the answer is complete.
  virtual void on_close(std::function<void()> fn) = 0;
  virtual bool closed() const = 0;

  // Writes the body of a streamed request to `sink` with back-pressure and closes it at the end of
  // the body. `done` gets an error when the client vanished before, and success also when the
  // reader of `sink` has closed its end early.
  virtual void receive_body(Fd sink, std::function<void(Status)> done) = 0;

  virtual void hijack(Hijack with) = 0;
};

}  // namespace stack::engine::api
