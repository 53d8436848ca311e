// The client against an engine of the test's own: answers of every shape, and what happens when the
// engine goes away.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/files.h"
#include "cli/api_client.h"
#include "cli/engine_api.h"
#include "cli/engine_launcher.h"
#include "cli/log_feed.h"
#include "cli/log_stream.h"
#include "cli/tar.h"
#include "tests/cli/fake_server.h"

namespace stack::cli {
namespace {

using testing::chunk;
using testing::chunked_head;
using testing::FakeServer;
using testing::frame;
using testing::http_answer;
using testing::Request;
using testing::send_text;

FakeServer::Answer always(std::string text) {
  return [text = std::move(text)](int fd, const Request&) { send_text(fd, text); };
}

TEST(ApiClient, WholeAnswers) {
  FakeServer server(always(http_answer(200, R"({"a":1})")));
  const ApiClient client(server.socket_path());
  EXPECT_TRUE(client.reachable());
  EXPECT_EQ(*client.post("/containers/x/start?t=1", R"({"b":2})"), R"({"a":1})");
  const auto requests = server.requests();
  ASSERT_FALSE(requests.empty());
  EXPECT_EQ(requests.back().method, "POST");
  EXPECT_EQ(requests.back().target, "/containers/x/start?t=1");
  EXPECT_EQ(requests.back().body, R"({"b":2})");
}

TEST(ApiClient, ErrorsCarryTheEnginesMessage) {
  FakeServer server(always(http_answer(409, R"({"message":"name is taken"})")));
  const auto answer = ApiClient(server.socket_path()).get("/x");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().message, "Error response from daemon: name is taken");
  EXPECT_EQ(answer.error().kind, ErrorKind::kConflict);
}

TEST(ApiClient, ChunksArriveAsTheyAreSent) {
  FakeServer server([](int fd, const Request&) {
    send_text(fd, chunked_head());
    for (const char* text : {"one\n", "tw", "o\n"}) {
      send_text(fd, chunk(text));
      ::usleep(2000);
    }
    send_text(fd, chunk(""));
  });
  auto stream = ApiClient(server.socket_path()).stream("GET", "/events");
  ASSERT_TRUE(stream.ok());
  std::string all;
  for (bool more = true; more;) {
    auto read = stream->read(all);
    ASSERT_TRUE(read.ok());
    more = *read;
  }
  EXPECT_EQ(all, "one\ntwo\n");
}

TEST(ApiClient, AnEngineThatVanishesIsAnErrorNotAShortAnswer) {
  for (const std::string& text : {chunked_head() + chunk("one\n"),
                                  std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
                                  std::string("HTTP/1.1 200"), std::string()}) {
    FakeServer server(always(text));
    const auto answer = ApiClient(server.socket_path()).get("/x");
    ASSERT_FALSE(answer.ok()) << text;
    EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
    EXPECT_EQ(answer.error().message,
              "the engine closed the connection before its answer was complete");
    EXPECT_FALSE(answer.error().remedy.empty());
  }
}

TEST(ApiClient, NobodyThere) {
  const ApiClient client("/tmp/stack-cli-no-such-socket");
  EXPECT_FALSE(client.reachable());
  const auto answer = client.get("/x");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(answer.error().message.find("cannot reach the engine at /tmp/stack-cli-no-such-socket"),
            std::string::npos);
}

TEST(ApiClient, HijackedConnectionsGoBothWays) {
  FakeServer server([](int fd, const Request&) {
    send_text(fd,
              "HTTP/1.1 101 UPGRADED\r\nContent-Type: "
              "application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n"
              "Upgrade: tcp\r\n\r\nearly");
    char buffer[16];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n > 0) send_text(fd, std::string(buffer, static_cast<std::size_t>(n)) + "!");
  });
  auto connection = ApiClient(server.socket_path()).hijack("/exec/1/start", "{}");
  ASSERT_TRUE(connection.ok());
  EXPECT_TRUE(is_raw_stream(connection->content_type));
  ASSERT_TRUE(write_all(connection->socket.get(), "ping").ok());
  EXPECT_EQ(connection->early + *read_all(connection->socket.get()), "earlyping!");
}

TEST(ApiClient, UploadsInChunksAndHearsARefusal) {
  FakeServer server(always(http_answer(200, "{}")));
  const auto produce = [](const ApiClient::Sink& sink) -> Status {
    TRY(sink("abc"));
    return sink(std::string(100'000, 'x'));
  };
  ASSERT_TRUE(
      ApiClient(server.socket_path()).upload("PUT", "/archive", "application/x-tar", produce).ok());
  EXPECT_EQ(server.requests().back().body, "abc" + std::string(100'000, 'x'));

  FakeServer refusing(always(http_answer(404, R"({"message":"no such container"})")));
  const auto refused =
      ApiClient(refusing.socket_path()).upload("PUT", "/archive", "application/x-tar", produce);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "Error response from daemon: no such container");
}

TEST(LogFeed, FramesBecomeLinesWithTimes) {
  FakeServer server([](int fd, const Request&) {
    send_text(fd, chunked_head("application/vnd.docker.multiplexed-stream"));
    const std::string bytes = frame(1, "2026-11-24T20:18:59.350586064Z one\n") +
                              frame(2, "2026-11-24T20:18:59.350649002Z two\n") +
                              frame(1, "2026-11-24T20:18:59.400000000Z long, ") +
                              frame(1, "2026-11-24T20:18:59.400000001Z continued\n");
    send_text(fd, chunk(bytes.substr(0, 13)) + chunk(bytes.substr(13)) + chunk(""));
  });
  const Engine engine{ApiClient(server.socket_path())};
  auto feed = LogFeed::open(engine, "abc", {});
  ASSERT_TRUE(feed.ok());
  while (!feed->ended()) ASSERT_TRUE(feed->pump().ok());
  ASSERT_EQ(feed->lines.size(), 3U);
  EXPECT_EQ(feed->lines[0].text, "one");
  EXPECT_EQ(feed->lines[0].timestamp, "2026-11-24T20:18:59.350586064Z");
  EXPECT_EQ(feed->lines[1].stream, OutputStream::kStderr);
  EXPECT_EQ(feed->lines[2].text, "long, continued");
}

TEST(FrameDecoder, RefusesWhatIsNoFrame) {
  FrameDecoder decoder(false);
  EXPECT_FALSE(decoder.feed("not a frame at all", [](OutputStream, std::string_view) {}).ok());
}

TEST(ProjectLine, EveryKind) {
  const auto step = parse_project_line(
      R"({"id":"Container web-1","status":"Starting","kind":"working","current":5})");
  ASSERT_TRUE(step.ok() && step->step);
  EXPECT_EQ(step->step->id, "Container web-1");
  EXPECT_EQ(step->step->current, 5);
  EXPECT_EQ(parse_project_line(R"({"log":"x","id":"api","stream":"stdout"})")->log->text, "x");
  EXPECT_EQ(*parse_project_line(R"({"warning":"careful"})")->warning, "careful");
  const auto result = parse_project_line(
      R"({"result":{"containers":[{"id":"1","name":"demo-web-1","service":"web","number":1}]}})");
  ASSERT_TRUE(result.ok() && result->result);
  EXPECT_EQ(result->result->containers.at(0).name, "demo-web-1");
  const auto error = parse_project_line(
      R"({"error":{"message":"port is taken","remedy":"stop it","exit_code":17}})");
  ASSERT_TRUE(error.ok() && error->error);
  EXPECT_EQ(error->error->exit_code, 17);
  EXPECT_FALSE(parse_project_line("not json").ok());
}

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/stack-cli-test-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Directory() { (void)remove_tree(path_); }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

TEST(Tar, RoundTrip) {
  Directory directory;
  const std::string long_name(150, 'n');
  ASSERT_TRUE(make_directories(directory.path("source/sub")).ok());
  ASSERT_TRUE(write_file(directory.path("source/a"), std::string(700, 'a')).ok());
  ASSERT_TRUE(write_file(directory.path("source/sub/" + long_name), "b").ok());
  ASSERT_EQ(::symlink("a", directory.path("source/link").c_str()), 0);
  std::string archive;
  ASSERT_TRUE(
      write_tar(directory.path("source"), "source", false, [&archive](std::string_view piece) {
        archive += piece;
        return ok_status();
      }).ok());
  ASSERT_EQ(archive.size() % 512, 0U);
  ASSERT_TRUE(make_directories(directory.path("target")).ok());
  TarExtractor extractor(directory.path("target"), "copy");
  for (std::size_t at = 0; at < archive.size(); at += 333)
    ASSERT_TRUE(extractor.feed(std::string_view(archive).substr(at, 333)).ok());
  ASSERT_TRUE(extractor.finish().ok());
  EXPECT_EQ(*read_file(directory.path("target/copy/a")), std::string(700, 'a'));
  EXPECT_EQ(*read_file(directory.path("target/copy/sub/" + long_name)), "b");
  EXPECT_EQ(std::filesystem::read_symlink(directory.path("target/copy/link")), "a");
}

TEST(Tar, NothingLeavesTheTarget) {
  Directory directory;
  ASSERT_TRUE(make_directories(directory.path("target")).ok());
  const auto file = [](const std::string& name) {
    TarEntry entry;
    entry.name = name;
    entry.size = 1;
    return tar_header(entry) + "x" + tar_padding(1);
  };
  TarEntry link;
  link.name = "out";
  link.type = '2';
  link.link = "..";
  EXPECT_FALSE(TarExtractor(directory.path("target"), "").feed(file("../evil")).ok());
  EXPECT_FALSE(TarExtractor(directory.path("target"), "").feed(file("a/../../evil")).ok());
  EXPECT_FALSE(
      TarExtractor(directory.path("target"), "").feed(tar_header(link) + file("out/evil")).ok());
  EXPECT_FALSE(exists(directory.path("evil")));
  TarExtractor cut(directory.path("target"), "");
  ASSERT_TRUE(cut.feed(file("whole").substr(0, 512)).ok());
  EXPECT_FALSE(cut.finish().ok());
}

std::string script(const Directory& directory, const std::string& text) {
  const std::string path = directory.path("stackd");
  EXPECT_TRUE(write_file(path, text, 0755).ok());
  EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
  return path;
}

// Writes an x into `starts`, and answers once, half a second after its start.
std::string slow_engine(const Directory& directory) {
  return script(directory, R"(#!/usr/bin/env python3
import os, socket, time
directory = os.path.dirname(os.path.abspath(__file__))
with open(directory + '/starts', 'a') as starts: starts.write('x')
time.sleep(0.5)
listener = socket.socket(socket.AF_UNIX)
listener.bind(directory + '/stack.sock')
listener.listen(64)
listener.settimeout(5)
connection, _ = listener.accept()
connection.recv(4096)
connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK')
)");
}

TEST(Launcher, StartsTheEngineOnce) {
  Directory directory;
  const std::string program = script(directory, R"(#!/usr/bin/env python3
import os, socket
directory = os.path.dirname(os.path.abspath(__file__))
with open(directory + '/starts', 'a') as starts: starts.write('x')
listener = socket.socket(socket.AF_UNIX)
listener.bind(directory + '/stack.sock')
listener.listen(64)
listener.settimeout(5)
try:
    while True:
        connection, _ = listener.accept()
        connection.settimeout(1)
        if connection.recv(4096).startswith(b'GET /stop'): break
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK')
        connection.close()
except OSError: pass
)");
  const EngineAddress address{directory.path("stack.sock"), directory.path(""), true};
  std::vector<std::thread> commands;
  std::atomic<int> succeeded{0};
  for (int i = 0; i < 4; ++i) {
    commands.emplace_back([&] {
      if (ensure_engine(address, {program}).ok()) ++succeeded;
    });
  }
  for (std::thread& command : commands) command.join();
  EXPECT_EQ(succeeded, 4);
  EXPECT_EQ(*read_file(directory.path("starts")), "x") << "concurrent commands start one engine";
  EXPECT_TRUE(ensure_engine(address, {program}).ok());
  (void)ApiClient(address.socket).get("/stop");  // ends without an answer
}

TEST(Launcher, AnEngineThatExitsEarlyShowsItsLog) {
  Directory directory;
  const std::string program =
      script(directory, "#!/bin/sh\necho 'cannot open the state: disk is full' >&2\nexit 3\n");
  const Status status =
      ensure_engine({directory.path("stack.sock"), directory.path("run"), true}, {program});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find(
                "exited with status 3 while it was starting:\ncannot open the state: disk is full"),
            std::string::npos)
      << status.error().message;
  EXPECT_EQ(status.error().remedy, "Its whole log is " + directory.path("run") + "/stackd.log.");
}

TEST(Launcher, AnEngineThatLivesIsWaitedForAndAfterAWhileSaysSo) {
  Directory directory;
  const std::string program = slow_engine(directory);
  ::testing::internal::CaptureStderr();
  const Status status = ensure_engine({directory.path("stack.sock"), directory.path(""), true},
                                      {program, std::chrono::milliseconds(50)});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(status.ok()) << status.error().message;
  EXPECT_NE(said.find("The engine is starting"), std::string::npos) << said;
  EXPECT_EQ(said.find("The engine is starting"), said.rfind("The engine is starting"));
}

TEST(Launcher, AnEngineThatNeverAnswersIsGivenUp) {
  Directory directory;
  const std::string program = script(directory, "#!/bin/sh\nexec sleep 1\n");
  const Status status =
      ensure_engine({directory.path("stack.sock"), directory.path(""), true},
                    {program, std::chrono::seconds(5), std::chrono::milliseconds(50)});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
}

TEST(Launcher, AnEngineWhoseCommandIsGoneIsWaitedForByTheNext) {
  Directory directory;
  const std::string program = slow_engine(directory);
  const EngineAddress address{directory.path("stack.sock"), directory.path(""), true};
  const Status gone =
      ensure_engine(address, {program, std::chrono::seconds(5), std::chrono::milliseconds(100)});
  ASSERT_FALSE(gone.ok());
  const Status next = ensure_engine(address, {program});
  EXPECT_TRUE(next.ok()) << next.error().message;
  EXPECT_EQ(*read_file(directory.path("starts")), "x");
}

TEST(Launcher, ANamedSocketIsNotOursToStart) {
  const Status status = ensure_engine({"/tmp/stack-cli-no-such-socket", "/tmp", false});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "no engine answers at /tmp/stack-cli-no-such-socket");
}

}  // namespace
}  // namespace stack::cli
