// Attached clients: stream sockets that get the output (framed as Docker's API does, raw with a
// terminal) and may feed stdin. A client that does not read stops the reading of the container's
// output, as under Docker; memory does not grow.
#pragma once

#include <poll.h>

#include <cstdint>
#include <string_view>

#include "runtime/plan_wire.h"

namespace stack::shim {

class Clients {
 public:
  static constexpr std::size_t kMax = 64;

  void set_raw(bool raw) { raw_ = raw; }
  // Takes the descriptor; more than kMax are refused by closing it.
  void add(int fd, std::uint32_t flags);
  // Only while !blocked(). The second form: to the one that was added last, and has room.
  void send(bool is_stderr, std::string_view bytes);
  void send_to_newest(bool is_stderr, std::string_view bytes);
  // True while some client has not taken what it was sent.
  bool blocked() const;
  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }

  // Fills `polls`, returns how many. `read_stdin` false: input is not wanted now.
  std::size_t poll_list(pollfd* polls, bool read_stdin) const;
  // Handles one entry of the list. Returns bytes of input in `buffer` (0: none); *left is set when
  // a stdin client has ended its input or gone.
  std::size_t handle(const pollfd& event, char* buffer, std::size_t size, bool* left);
  // At the container's end: what clients have not taken yet gets a last, bounded chance; who does
  // not take it is dropped.
  void settle();
  void close_all();

 private:
  struct Client {
    int fd = -1;
    std::uint32_t flags = 0;
    bool input_ended = false;
    std::size_t pending = 0, sent = 0;
    char* buffer = nullptr;  // one mapping, made when a client first falls behind
  };
  void remove(std::size_t index);
  void send_from(std::size_t first, bool is_stderr, std::string_view bytes);
  bool push(Client* client, std::string_view head, std::string_view bytes);

  Client clients_[kMax];
  std::size_t count_ = 0;
  bool raw_ = false;
};

}  // namespace stack::shim
