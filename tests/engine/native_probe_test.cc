#include "engine/native_probe.h"

#include <gtest/gtest.h>

#include "compose/probe.h"

namespace stack::engine {
namespace {

TEST(NativeProbe, WhatTheFileSaysIsWhatIsAsked) {
  struct Case {
    const char *kind, *value, *uri;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"http", "8080", "http://127.0.0.1:8080/"},
           {"http", "http://localhost:8080/health?a=b", "http://127.0.0.1:8080/health?a=b"},
           {"http", "http://[::1]/x", "http://[::1]:80/x"},
           {"http", "/ready", "http://127.0.0.1:80/ready"},
           {"http", ":81/ready", "http://127.0.0.1:81/ready"},
           {"tcp", "5432", "tcp://127.0.0.1:5432"},
           {"tcp", "10.0.0.1:5432", "tcp://10.0.0.1:5432"},
           {"unix", "/run/app.sock", "unix:///run/app.sock"},
           {"redis", "[::1]:6379", "redis://[::1]:6379"}}) {
    const auto uri = compose::probe_uri(c.kind, c.value);
    ASSERT_TRUE(uri.ok()) << c.value;
    EXPECT_EQ(*uri, c.uri);
    EXPECT_TRUE(parse_probe(*uri).ok()) << *uri;
  }
  for (const char* bad :
       {"https://localhost", "http://web:80/", "0", "", "http://localhost:80/a b"})
    EXPECT_FALSE(compose::probe_uri("http", bad).ok() && bad[0] != '\0') << bad;
}

TEST(NativeProbe, TakesTheUriApart) {
  const auto target = parse_probe("http://[::1]:8080/a?b");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target->address, "::1");
  EXPECT_EQ(target->port, 8080);
  EXPECT_EQ(target->path, "/a?b");
  for (const char* bad : {"", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "ftp://1.2.3.4:5", "unix://x",
                          "http://127.0.0.1:80/a\r\nHost: b"})
    EXPECT_FALSE(parse_probe(bad).ok()) << bad;
}

TEST(NativeProbe, JudgesAnswers) {
  const auto http = *parse_probe("http://127.0.0.1:80/");
  const auto redis = *parse_probe("redis://127.0.0.1:6379");
  const auto code = [](const ProbeTarget& t, std::string_view text, bool ended = false) {
    const auto verdict = judge_answer(t, text, ended);
    return verdict ? verdict->exit_code : -1;
  };
  EXPECT_EQ(code(http, "HTTP/1.1 200 OK\r\n"), 0);
  EXPECT_EQ(code(http, "HTTP/1.0 302 Found\r\nLocation: /\r\n"), 0);
  EXPECT_EQ(code(http, "HTTP/1.1 404 Not Found\r\n"), 1);
  EXPECT_EQ(code(http, "HTTP/1.1 503\r\n"), 1);
  EXPECT_EQ(code(http, "SSH-2.0-OpenSSH\r\n"), 1);
  EXPECT_EQ(code(http, "HTTP/1.1 20"), -1) << "not all of it yet";
  EXPECT_EQ(code(http, "", true), 1);
  EXPECT_EQ(code(redis, "+PONG\r\n"), 0);
  EXPECT_EQ(code(redis, "-NOAUTH Authentication required.\r\n"), 0);
  EXPECT_EQ(code(redis, "-LOADING Redis is loading the dataset in memory\r\n"), 1);
}

}  // namespace
}  // namespace stack::engine
