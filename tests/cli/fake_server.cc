#include "tests/cli/fake_server.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>

#include "base/files.h"

namespace stack::cli::testing {

namespace {

std::string header_value(const std::string& head, std::string_view name) {
  const std::size_t at = head.find(fmt::format("\r\n{}: ", name));
  if (at == std::string::npos) return "";
  const std::size_t start = at + name.size() + 4;
  return head.substr(start, head.find("\r\n", start) - start);
}

bool read_more(int fd, std::string& bytes) {
  char buffer[16384];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n > 0) bytes.append(buffer, static_cast<std::size_t>(n));
  return n > 0;
}

}  // namespace

FakeServer::FakeServer(Answer answer) : answer_(std::move(answer)) {
  char name[] = "/tmp/stack-cli-test-XXXXXX";
  directory_ = ::mkdtemp(name);
  path_ = directory_ + "/engine.sock";
  listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 16) != 0) {
    std::abort();
  }
  acceptor_ = std::thread([this] { serve(); });
}

FakeServer::~FakeServer() {
  stop_ = true;
  acceptor_.join();
  for (std::thread& thread : conversations_) thread.join();
  (void)remove_tree(directory_);
}

std::vector<Request> FakeServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeServer::serve() {
  while (!stop_) {
    pollfd entry{listener_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 20) <= 0) continue;
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) conversations_.emplace_back([this, fd] { converse(Fd(fd)); });
  }
}

void FakeServer::converse(Fd connection) {
  std::string bytes;
  std::size_t end = 0;
  while ((end = bytes.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more(connection.get(), bytes)) return;
  }
  const std::string head = bytes.substr(0, end);
  std::string rest = bytes.substr(end + 4);
  Request request;
  request.method = head.substr(0, head.find(' '));
  const std::size_t target = request.method.size() + 1;
  request.target = head.substr(target, head.find(' ', target) - target);
  if (const std::string length = header_value(head, "Content-Length"); !length.empty()) {
    const std::size_t size = std::strtoul(length.c_str(), nullptr, 10);
    while (rest.size() < size && read_more(connection.get(), rest)) {
    }
    request.body = rest.substr(0, size);
  } else if (header_value(head, "Transfer-Encoding") == "chunked") {
    for (;;) {
      std::size_t newline = 0;
      while ((newline = rest.find("\r\n")) == std::string::npos) {
        if (!read_more(connection.get(), rest)) return;
      }
      const std::size_t size = std::strtoul(rest.c_str(), nullptr, 16);
      rest.erase(0, newline + 2);
      while (rest.size() < size + 2) {
        if (!read_more(connection.get(), rest)) return;
      }
      request.body += rest.substr(0, size);
      rest.erase(0, size + 2);
      if (size == 0) break;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  answer_(connection.get(), request);
}

void send_text(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the client went away, which some tests are about
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string http_answer(int status, std::string_view body, std::string_view type) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", status,
                     type, body.size(), body);
}

std::string chunked_head(std::string_view type) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
                     type);
}

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::string frame(int stream, std::string_view payload) {
  std::string out(8, '\0');
  out[0] = static_cast<char>(stream);
  for (std::size_t i = 0; i < 4; ++i)
    out[4 + i] = static_cast<char>((payload.size() >> (24U - 8U * i)) & 0xffU);
  return out + std::string(payload);
}

}  // namespace stack::cli::testing
