#include "runtime/shim/clients.h"

#include <sys/mman.h>
#include <sys/uio.h>

#include "runtime/shim/sys.h"

namespace stack::shim {

namespace {
constexpr std::size_t kBuffer = (64U << 10U) + 8;  // one whole read with its head
}

void Clients::add(int fd, std::uint32_t flags) {
  if (count_ == kMax) {
    ::close(fd);
    return;
  }
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  clients_[count_] = Client{};
  clients_[count_].fd = fd;
  clients_[count_].flags = flags;
  ++count_;
}

void Clients::remove(std::size_t index) {
  ::close(clients_[index].fd);
  if (clients_[index].buffer != nullptr) ::munmap(clients_[index].buffer, kBuffer);
  clients_[index] = clients_[--count_];
}

// False when the client is gone.
bool Clients::push(Client* client, std::string_view head, std::string_view bytes) {
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                    {const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t n = ::sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) return false;
    n = 0;
  }
  auto sent = static_cast<std::size_t>(n);
  const std::size_t total = head.size() + bytes.size();
  if (sent == total) return true;
  if (client->buffer == nullptr) {
    void* map =
        ::mmap(nullptr, kBuffer, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return false;
    client->buffer = static_cast<char*>(map);
  }
  client->pending = 0;
  client->sent = 0;
  for (const std::string_view part : {head, bytes}) {
    const std::size_t skip = sent < part.size() ? sent : part.size();
    sent -= skip;
    std::memcpy(client->buffer + client->pending, part.data() + skip, part.size() - skip);
    client->pending += part.size() - skip;
  }
  return true;
}

void Clients::send(bool is_stderr, std::string_view bytes) { send_from(0, is_stderr, bytes); }

void Clients::send_to_newest(bool is_stderr, std::string_view bytes) {
  if (count_ > 0 && !bytes.empty()) send_from(count_ - 1, is_stderr, bytes);
}

void Clients::send_from(std::size_t first, bool is_stderr, std::string_view bytes) {
  const std::uint32_t wanted =
      is_stderr ? runtime::wire::kClientStderr : runtime::wire::kClientStdout;
  const auto size = static_cast<std::uint32_t>(bytes.size());
  const char head[8] = {static_cast<char>(is_stderr ? 2 : 1),
                        0,
                        0,
                        0,
                        static_cast<char>(size >> 24U),
                        static_cast<char>(size >> 16U),
                        static_cast<char>(size >> 8U),
                        static_cast<char>(size)};
  for (std::size_t i = count_; i-- > first;) {
    if ((clients_[i].flags & wanted) == 0) continue;
    if (!push(&clients_[i], raw_ ? std::string_view() : std::string_view(head, sizeof head), bytes))
      remove(i);
  }
}

bool Clients::blocked() const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (clients_[i].pending > clients_[i].sent) return true;
  }
  return false;
}

std::size_t Clients::poll_list(pollfd* polls, bool read_stdin) const {
  for (std::size_t i = 0; i < count_; ++i) {
    const Client& client = clients_[i];
    short events = 0;
    if (client.pending > client.sent) events |= POLLOUT;
    const bool input = (client.flags & runtime::wire::kClientStdin) != 0;
    // Without input the end of the client is still worth knowing; once it is half closed, only a
    // full close (POLLHUP) is.
    if (!client.input_ended && (read_stdin || !input)) events |= POLLIN;
    polls[i] = {client.fd, events, 0};
  }
  return count_;
}

std::size_t Clients::handle(const pollfd& event, char* buffer, std::size_t size, bool* left) {
  std::size_t index = 0;
  while (index < count_ && clients_[index].fd != event.fd) ++index;
  if (index == count_ || event.revents == 0) return 0;
  Client& client = clients_[index];
  const bool input = (client.flags & runtime::wire::kClientStdin) != 0;
  if ((event.revents & POLLOUT) != 0 && client.pending > client.sent) {
    const ssize_t n = ::send(client.fd, client.buffer + client.sent, client.pending - client.sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) client.sent += static_cast<std::size_t>(n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      *left = input && !client.input_ended;
      remove(index);
      return 0;
    }
    if (client.sent == client.pending) {
      ::munmap(client.buffer, kBuffer);
      client.buffer = nullptr;
      client.pending = client.sent = 0;
    }
  }
  if ((event.revents & POLLIN) != 0) {
    const ssize_t n = ::recv(client.fd, buffer, size, MSG_DONTWAIT);
    if (n > 0) return input ? static_cast<std::size_t>(n) : 0;
    if (n == 0) {
      *left = input && !client.input_ended;
      client.input_ended = true;
    }
  }
  if ((event.revents & (POLLHUP | POLLERR)) != 0) {
    *left = *left || (input && !client.input_ended);
    remove(index);
  }
  return 0;
}

void Clients::settle() {
  for (std::size_t i = count_; i-- > 0;) {
    Client& client = clients_[i];
    while (client.pending > client.sent) {
      pollfd p{client.fd, POLLOUT, 0};
      const ssize_t n = ::poll(&p, 1, 1000) <= 0
                            ? -1
                            : ::send(client.fd, client.buffer + client.sent,
                                     client.pending - client.sent, MSG_NOSIGNAL);
      if (n <= 0) {
        remove(i);
        break;
      }
      client.sent += static_cast<std::size_t>(n);
    }
  }
}

void Clients::close_all() {
  settle();
  while (count_ > 0) remove(count_ - 1);
}

}  // namespace stack::shim
