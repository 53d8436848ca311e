// An engine for tests: answers HTTP on a unix socket of its own with what the test hands out.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"

namespace stack::cli::testing {

struct Request {
  std::string method;
  std::string target;
  std::string body;  // decoded when it came in chunks
};

class FakeServer {
 public:
  // `answer` writes the whole answer to the connection, which is closed when it returns.
  using Answer = std::function<void(int connection, const Request& request)>;

  explicit FakeServer(Answer answer);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  const std::string& socket_path() const { return path_; }
  std::vector<Request> requests() const;

 private:
  void serve();
  void converse(Fd connection);

  Answer answer_;
  std::string directory_;
  std::string path_;
  Fd listener_;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<std::thread> conversations_;
  std::thread acceptor_;
};

void send_text(int connection, std::string_view text);
// A whole answer with Content-Length.
std::string http_answer(int status, std::string_view body,
                        std::string_view type = "application/json");
// The head of an answer that comes in chunks, and one chunk; an empty one ends it.
std::string chunked_head(std::string_view type = "application/json");
std::string chunk(std::string_view bytes);
// A frame of the log format.
std::string frame(int stream, std::string_view payload);

}  // namespace stack::cli::testing
