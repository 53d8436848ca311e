// The server with toy routes over a real socket: the loop runs in a thread, clients block with a
// time limit.
#include "engine/api/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <future>
#include <thread>

#include "base/files.h"
#include "engine/api/hijack.h"
#include "engine/api/respond.h"

namespace stack::engine::api {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval limit{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  // Until `text` has come; what was read up to and with it.
  std::string until(const std::string& text) {
    for (;;) {
      if (const auto at = buffer_.find(text, std::min(searched_, buffer_.size()));
          at != std::string::npos) {
        searched_ = 0;
        const auto out = buffer_.substr(0, at + text.size());
        buffer_.erase(0, at + text.size());
        return out;
      }
      searched_ = buffer_.size() < text.size() ? 0 : buffer_.size() - text.size();
      if (!more()) return "END " + std::exchange(buffer_, {});
    }
  }
  std::string rest() {
    while (more()) continue;
    return std::exchange(buffer_, {});
  }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }

 private:
  bool more() {
    char piece[65536];
    const auto n = ::recv(fd_.get(), piece, sizeof piece, 0);
    if (n <= 0) return false;
    buffer_.append(piece, static_cast<std::size_t>(n));
    return true;
  }
  Fd fd_;
  std::string buffer_;
  std::size_t searched_ = 0;
};

std::string get(std::string_view target, std::string_view headers = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n";
}
std::string post(std::string_view target, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    directory_ = std::filesystem::temp_directory_path() / ("stack-api-" + random_hex(8));
    EXPECT_TRUE(make_directories(directory_).ok());
    path_ = (directory_ / "s.sock").string();
  }
  ~ServerTest() override {
    if (thread_.joinable()) {
      on_loop([&] { server_.reset(); });
      loop_.stop();
      thread_.join();
    }
    (void)remove_tree(directory_);
  }
  void start(ServerLimits limits = {}) {
    auto server = HttpServer::listen(loop_, path_, std::move(router_), limits);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
    thread_ = std::thread([this] { loop_.run(); });
  }
  void on_loop(const std::function<void()>& fn) {
    std::promise<void> done;
    loop_.post([&] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  }
  template <typename Predicate>
  bool eventually(Predicate predicate) {
    for (int i = 0; i < 500; ++i) {
      bool value = false;
      on_loop([&] { value = predicate(); });
      if (value) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  EventLoop loop_;
  EventLoop::Timer slow_answer_;
  Router router_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
  std::filesystem::path directory_;
  std::string path_;
};

TEST_F(ServerTest, AnswersKeptAliveAndPipelinedRequestsInOrder) {
  router_.add("GET", "/echo/{x}", [this](const ExchangePtr& exchange) {
    // The first answer comes last if the server does not wait for it.
    const bool slow = exchange->request().captures[0] == "a";
    loop_.post([this, exchange, slow] {
      const auto answer = [exchange] {
        exchange->respond(200, "text/plain", exchange->request().captures[0] + "\n");
      };
      if (slow) {
        slow_answer_ = loop_.after(std::chrono::milliseconds(50), answer);
      } else {
        answer();
      }
    });
  });
  start();
  Client client(path_);
  ASSERT_TRUE(client.send(get("/v1.44/echo/a") + get("/echo/b") + get("/echo/c%2Fd?x=1")));
  EXPECT_THAT(client.until("a\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.until("b\n"), HasSubstr("Content-Length: 2\r\n"));
  ASSERT_TRUE(client.send("HEAD /echo/z HTTP/1.1\r\nHost: x\r\n\r\n" +
                          get("/echo/y", "Connection: close\r\n")));
  EXPECT_THAT(client.rest(), testing::EndsWith("\r\n\r\ny\n"));
  struct stat mode {};
  ASSERT_EQ(::stat(path_.c_str(), &mode), 0);
  EXPECT_EQ(mode.st_mode & 0777U, 0660U);
}

TEST_F(ServerTest, RefusesWhatItCannotAnswer) {
  router_.add("GET", "/dropped", [](const ExchangePtr&) {});
  router_.add("POST", "/small", [](const ExchangePtr& exchange) { respond_empty(*exchange, 204); });
  ServerLimits limits;
  limits.header_bytes = 4096;
  limits.buffered_body_bytes = 100;
  limits.header_time = std::chrono::milliseconds(100);
  start(limits);
  Client client(path_);
  ASSERT_TRUE(client.send(get("/nowhere")));
  EXPECT_THAT(client.until("}\n"), testing::AllOf(StartsWith("HTTP/1.1 404 Not Found\r\n"),
                                                  HasSubstr("{\"message\":\"page not found\"}")));
  ASSERT_TRUE(client.send(get("/dropped")));
  EXPECT_THAT(client.until("}\n"), StartsWith("HTTP/1.1 500 "));
  ASSERT_TRUE(client.send(post("/small", std::string(5000, 'x'))));
  EXPECT_THAT(client.until("}\n"), StartsWith("HTTP/1.1 413 "));
  ASSERT_TRUE(client.send(post("/small", "ok")));
  EXPECT_THAT(client.until("\r\n\r\n"), StartsWith("HTTP/1.1 204 No Content\r\n"));
  Client large(path_);
  large.send(get("/x", "A: " + std::string(8000, 'a') + "\r\n"));
  EXPECT_THAT(large.rest(), StartsWith("HTTP/1.1 431 "));
  Client garbage(path_);
  garbage.send("this is not HTTP\r\n\r\n");
  EXPECT_THAT(garbage.rest(), StartsWith("HTTP/1.1 400 "));
  Client slow(path_);
  slow.send("GET /small HT");
  EXPECT_EQ(slow.rest(), "");  // closed when the time for the header is over
}

TEST_F(ServerTest, StreamsChunksAndWaitsForASlowClient) {
  constexpr std::size_t kTotal = 16U << 20U;
  std::size_t most_queued = 0;
  router_.add("GET", "/big", [&](const ExchangePtr& exchange) {
    exchange->begin(200, "application/octet-stream");
    auto left = std::make_shared<std::size_t>(kTotal);
    const auto more = [exchange = exchange.get(), left, &most_queued] {
      most_queued = std::max(most_queued, exchange->queued());
      if (*left == 0) return exchange->finish();
      const auto size = std::min<std::size_t>(*left, 100'000);
      *left -= size;
      exchange->write(std::string(size, 'x'));
    };
    exchange->on_drain([keep = exchange, more] { more(); });
    more();
  });
  start();
  Client client(path_);
  client.send(get("/big"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto answer = client.until("\r\n0\r\n\r\n");
  EXPECT_EQ(std::count(answer.begin(), answer.end(), 'x'), static_cast<std::ptrdiff_t>(kTotal));
  EXPECT_LT(most_queued, 1U << 20U);
  Client old(path_);
  old.send("GET /big HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.until("\r\n\r\n"), testing::Not(HasSubstr("chunked")));
  EXPECT_EQ(old.rest().size(), kTotal);
}

TEST_F(ServerTest, TellsTheHandlerThatTheClientVanished) {
  int closed = 0;
  std::vector<ExchangePtr> kept;
  router_.add("GET", "/wait", [&](const ExchangePtr& exchange) {
    exchange->begin(200, "application/json");
    exchange->on_close([&] { ++closed; });
    kept.push_back(exchange);
  });
  start();
  for (int i = 0; i < 20; ++i) {
    Client client(path_);
    client.send(get("/wait"));
    if (i % 2 == 0) client.until("\r\n\r\n");  // the others leave with the header unread
    if (i % 4 < 2) client.half_close();
    std::this_thread::sleep_for(std::chrono::milliseconds(i < 10 ? 5 : 0));
    client.close();
  }
  EXPECT_TRUE(eventually([&] { return closed == 20; }));
  on_loop([&] { kept.clear(); });
  EXPECT_TRUE(eventually([&] { return server_->connections() == 0 && server_->active() == 0; }));
  // A client that only ends its own side still gets its answer.
  Client half(path_);
  half.send(get("/wait"));
  half.until("\r\n\r\n");
  half.half_close();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  on_loop([&] {
    kept.at(0)->write("late");
    kept.at(0)->finish();
    kept.clear();
  });
  EXPECT_THAT(half.rest(), HasSubstr("late"));
}

TEST_F(ServerTest, StreamsABodyIntoADescriptor) {
  router_.add(
      "PUT", "/upload",
      [](const ExchangePtr& exchange) {
        auto pipe = make_pipe();
        ASSERT_TRUE(pipe.ok());
        // A reader of its own, as a worker of the pool would be.
        auto reader = std::make_shared<std::future<std::string>>(
            std::async(std::launch::async, [fd = std::make_shared<Fd>(std::move(pipe->read))] {
              return read_all(fd->get()).value();
            }));
        exchange->receive_body(std::move(pipe->write), [exchange, reader](const Status& status) {
          const auto body = reader->get();
          exchange->respond(200, "text/plain",
                            (status.ok() ? "ok " : "cut ") + std::to_string(body.size()) + "\n");
        });
      },
      Body::kStreamed);
  router_.add(
      "PUT", "/refuse",
      [](const ExchangePtr& exchange) { respond_error(*exchange, 404, "no such thing"); },
      Body::kStreamed);
  router_.add(
      "PUT", "/half",
      [this](const ExchangePtr& exchange) {
        auto pipe = make_pipe();
        ASSERT_TRUE(pipe.ok());
        exchange->receive_body(std::move(pipe->write), [](const Status&) {});
        const auto reader = std::make_shared<Fd>(std::move(pipe->read));
        slow_answer_ = loop_.after(std::chrono::milliseconds(20), [exchange, reader] {
          respond_error(*exchange, 400, "not that");
          reader->reset();
        });
      },
      Body::kStreamed);
  start();
  Client client(path_);
  client.send(
      "PUT /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(client.send("186a0\r\n" + std::string(100'000, 'b') + "\r\n"));
  client.send("0\r\n\r\n");
  EXPECT_THAT(client.until("\n\r\n"), HasSubstr("200 OK"));
  EXPECT_EQ(client.until("\n"), "ok 5000000\n");
  // An answer before the end of the body: the rest is read over, and the connection goes on.
  const std::string body(3'000'000, 'c');
  ASSERT_TRUE(
      client.send("PUT /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + body));
  EXPECT_THAT(client.until("}\n"), StartsWith("HTTP/1.1 404 "));
  // The same when a piece of the body is on its way to a worker that has lost interest.
  ASSERT_TRUE(
      client.send("PUT /half HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + body));
  EXPECT_THAT(client.until("}\n"), StartsWith("HTTP/1.1 400 "));
  ASSERT_TRUE(client.send("PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"));
  EXPECT_THAT(client.until("ok 3\n"), StartsWith("HTTP/1.1 200 "));
}

class HijackTest : public ServerTest {
 protected:
  // The far side of what the client is joined with.
  Fd other_;
  std::promise<void> ended_;
  void route_to_socket(bool raw) {
    router_.add("POST", "/attach", [this, raw](const ExchangePtr& exchange) {
      auto pair = make_socketpair(SOCK_STREAM);
      other_ = std::move(pair->second);
      Hijack with;
      with.duplex = std::move(pair->first);
      with.raw = raw;
      with.first = "before\n";
      with.done = [this] { ended_.set_value(); };
      exchange->hijack(std::move(with));
    });
  }
  std::string receive(std::size_t size) {
    std::string out(size, '\0');
    std::size_t got = 0;
    while (got < size) {
      const auto n = ::recv(other_.get(), out.data() + got, size - got, 0);
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    out.resize(got);
    return out;
  }
  bool ended() {
    return ended_.get_future().wait_for(std::chrono::seconds(5)) == std::future_status::ready;
  }
};

TEST_F(HijackTest, JoinsASocketAndHalfCloses) {
  route_to_socket(false);
  start();
  Client client(path_);
  // Bytes right behind the request belong to the stream.
  client.send(post("/v1.42/attach", "", "Connection: Upgrade\r\nUpgrade: tcp\r\n") + "early ");
  const auto head = client.until("before\n");
  EXPECT_THAT(
      head,
      StartsWith(
          "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"));
  client.send("late");
  client.half_close();
  EXPECT_EQ(receive(100), "early late");  // and then the end of stdin
  const std::string large(3'000'000, 'o');
  std::thread writer([&] {
    EXPECT_TRUE(write_all(other_.get(), large).ok());
    other_.reset();
  });
  EXPECT_EQ(client.rest().size(), large.size());
  writer.join();
  EXPECT_TRUE(ended());
  EXPECT_TRUE(eventually([&] { return server_->active() == 0; }));
}

TEST_F(HijackTest, EndsWhenTheClientVanishesWithoutOutput) {
  route_to_socket(true);
  start();
  Client client(path_);
  client.send(post("/attach", ""));
  EXPECT_THAT(client.until("before\n"),
              StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n"));
  client.half_close();
  EXPECT_EQ(receive(1), "");
  client.close();
  EXPECT_TRUE(ended());
}

TEST_F(HijackTest, FramesPipesAndDrainsThemAfterTheClient) {
  Fd out, err;
  std::promise<std::string> input;
  router_.add("POST", "/exec", [&](const ExchangePtr& exchange) {
    auto in_pipe = make_pipe();
    auto out_pipe = make_pipe();
    auto err_pipe = make_pipe();
    out = std::move(out_pipe->write);
    err = std::move(err_pipe->write);
    std::thread([&input, fd = std::make_shared<Fd>(std::move(in_pipe->read))] {
      input.set_value(read_all(fd->get()).value());
    }).detach();
    Hijack with;
    with.in = std::move(in_pipe->write);
    with.out = std::move(out_pipe->read);
    with.err = std::move(err_pipe->read);
    with.done = [this] { ended_.set_value(); };
    exchange->hijack(std::move(with));
  });
  start();
  Client client(path_);
  client.send(post("/exec", R"({"Detach":false})") + "typed");
  client.until("\r\n\r\n");
  ASSERT_TRUE(write_all(out.get(), "hello").ok());
  EXPECT_EQ(client.until("hello"), std::string("\1\0\0\0\0\0\0\5hello", 13));
  ASSERT_TRUE(write_all(err.get(), "bad").ok());
  EXPECT_EQ(client.until("bad"), std::string("\2\0\0\0\0\0\0\3bad", 11));
  client.half_close();
  EXPECT_EQ(input.get_future().get(), "typed");
  client.close();
  EXPECT_TRUE(ended());
  // Nobody reads any more, but the program can write more than a pipe holds.
  EXPECT_TRUE(write_all(out.get(), std::string(1'000'000, 'x')).ok());
}

TEST(DetachKeys, AreFoundInTypedBytes) {
  EXPECT_EQ(parse_detach_keys(""), "\x10\x11");
  EXPECT_EQ(parse_detach_keys("ctrl-a,d"),
            "\x01"
            "d");
  EXPECT_FALSE(parse_detach_keys("ctrl-").has_value());
  DetachFilter filter("\x10\x11");
  bool detached = false;
  EXPECT_EQ(filter.feed("ab\x10", detached), "ab");
  EXPECT_EQ(filter.feed("c\x10", detached),
            "\x10"
            "c");
  EXPECT_FALSE(detached);
  EXPECT_EQ(filter.feed("\x11zzz", detached), "");
  EXPECT_TRUE(detached);
}

TEST(Targets, AreTakenApart) {
  Request request;
  ASSERT_TRUE(
      parse_target("/v1.24/images/library%2Fnginx/json?filters=%7B%7D&all=1&q=a+b", request).ok());
  EXPECT_EQ(request.version, "1.24");
  EXPECT_EQ(request.path, "/images/library/nginx/json");
  EXPECT_EQ(request.query.text("filters"), "{}");
  EXPECT_TRUE(request.query.flag("all"));
  EXPECT_EQ(request.query.text("q"), "a b");
  Router router;
  router.add("GET", "/images/{name*}/json", [](const ExchangePtr&) {});
  router.add("GET", "/volumes", [](const ExchangePtr&) {});
  request.method = "GET";
  ASSERT_NE(router.find(request), nullptr);
  EXPECT_EQ(request.captures, std::vector<std::string>{"library/nginx"});
  Request volumes;
  ASSERT_TRUE(parse_target("/volumes", volumes).ok());
  volumes.method = "GET";
  EXPECT_NE(router.find(volumes), nullptr);
  EXPECT_FALSE(parse_target("*", volumes).ok());
}

}  // namespace
}  // namespace stack::engine::api
