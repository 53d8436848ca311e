#include "netd/dns_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace stack::netd {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes query(const std::string& wire_name, std::uint8_t type = 1) {
  Bytes q = {0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0};
  q.insert(q.end(), wire_name.begin(), wire_name.end());
  q.insert(q.end(), {0, 0, type, 0, 1});
  return q;
}
Bytes with_edns(Bytes q, std::uint16_t size) {
  q[11] = 1;
  q.insert(q.end(), {0, 0, 41, static_cast<std::uint8_t>(size >> 8),
                     static_cast<std::uint8_t>(size), 0, 0, 0, 0, 0, 0});
  return q;
}

TEST(DnsMessage, ReadsAQuestion) {
  Question q;
  ASSERT_EQ(parse_question(query("\x03Web\x04proj"), &q), ParseResult::kOk);
  EXPECT_EQ(q.id, 0xabcd);
  EXPECT_EQ(q.name, "Web.proj");
  EXPECT_EQ(q.type, 1);
  EXPECT_EQ(q.udp_size, 512);
  EXPECT_FALSE(q.edns);
  EXPECT_EQ(q.question_end, query("\x03Web\x04proj").size());
  ASSERT_EQ(parse_question(with_edns(query("\x01"
                                           "a"),
                                     4096),
                           &q),
            ParseResult::kOk);
  EXPECT_TRUE(q.edns);
  EXPECT_EQ(q.udp_size, 4096);
  ASSERT_EQ(parse_question(with_edns(query("\x01"
                                           "a"),
                                     100),
                           &q),
            ParseResult::kOk);
  EXPECT_EQ(q.udp_size, 512);
  ASSERT_EQ(parse_question(query(""), &q), ParseResult::kOk);
  EXPECT_EQ(q.name, "");
  ASSERT_EQ(parse_question(query("\x03"
                                 "a.b"),
                           &q),
            ParseResult::kOk);
  EXPECT_EQ(q.name, "a\\.b");
}

TEST(DnsMessage, RefusesMalformedOnes) {
  Question q;
  EXPECT_EQ(parse_question(Bytes{}, &q), ParseResult::kIgnore);
  EXPECT_EQ(parse_question(Bytes(11, 0), &q), ParseResult::kIgnore);
  Bytes reply = query(
      "\x01"
      "a");
  reply[2] = 0x81;
  EXPECT_EQ(parse_question(reply, &q), ParseResult::kIgnore);
  Bytes update = query(
      "\x01"
      "a");
  update[2] = 0x28;
  EXPECT_EQ(parse_question(update, &q), ParseResult::kNotImp);
  EXPECT_EQ(parse_question(Bytes(12, 0), &q), ParseResult::kFormErr);  // no question
  EXPECT_EQ(parse_question(query(std::string("\x40") + std::string(64, 'a')), &q),
            ParseResult::kFormErr);
  EXPECT_EQ(parse_question(query("\xc0\x0c"), &q), ParseResult::kFormErr);  // a pointer to itself
  std::string longest;
  for (int i = 0; i < 4; ++i) longest += "\x3f" + std::string(63, 'a');
  EXPECT_EQ(parse_question(query(longest), &q), ParseResult::kFormErr);  // 257 bytes
  Bytes cut = query(
      "\x03"
      "abc");
  cut.resize(cut.size() - 1);
  EXPECT_EQ(parse_question(cut, &q), ParseResult::kFormErr);
  Bytes two = with_edns(query("\x01"
                              "a"),
                        1232);
  two[11] = 2;
  EXPECT_EQ(parse_question(two, &q), ParseResult::kFormErr);  // says two records, has one
}

TEST(DnsMessage, WritesAnswers) {
  const Bytes asked = query("\x03WeB");
  Question q;
  ASSERT_EQ(parse_question(asked, &q), ParseResult::kOk);
  std::uint8_t out[512];
  const std::size_t size =
      write_answer(asked, q, {std::string("\x0a\x00\x00\x02", 4)}, sizeof out, out);
  const Bytes expected = {0xab, 0xcd, 0x81, 0x80, 0,    1, 0, 1,  0,    0,    0, 0, 3,
                          'W',  'e',  'B',  0,    0,    1, 0, 1,  0xc0, 0x0c, 0, 1, 0,
                          1,    0,    0,    0x02, 0x58, 0, 4, 10, 0,    0,    2};
  EXPECT_EQ(Bytes(out, out + size), expected);
  EXPECT_TRUE(answers_query({out, size}, asked));
}

TEST(DnsMessage, WritesPointersAndErrors) {
  const Bytes asked = query(
      "\x01"
      "1",
      12);
  Question q;
  ASSERT_EQ(parse_question(asked, &q), ParseResult::kOk);
  std::uint8_t out[512];
  std::size_t size = write_answer(asked, q, {"web-1.net"}, sizeof out, out);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(out) + size - 11, 11),
            std::string("\x05web-1\x03net\0", 11));
  size = write_error(asked, &q, Rcode::kServFail, sizeof out, out);
  EXPECT_EQ(out[3], 2);  // RA is off
  EXPECT_EQ(size, asked.size());
  size = write_error(asked, nullptr, Rcode::kFormErr, sizeof out, out);
  EXPECT_EQ(size, kDnsHeaderSize);
  EXPECT_EQ(out[5], 0);
}

TEST(DnsMessage, TruncatesWhatDoesNotFit) {
  const Bytes asked = query("\x03web");
  Question q;
  ASSERT_EQ(parse_question(asked, &q), ParseResult::kOk);
  std::uint8_t out[65535];
  const std::vector<std::string> many(100, std::string(4, '\x01'));
  std::size_t size = write_answer(asked, q, many, 512, out);
  EXPECT_LE(size, 512U);
  EXPECT_NE(out[2] & 2, 0);
  EXPECT_EQ(out[7], (512 - asked.size()) / 16);
  size = write_answer(asked, q, many, sizeof out, out);
  EXPECT_EQ(out[2] & 2, 0);
  EXPECT_EQ(out[7], 100);
  std::uint8_t cut[512];
  EXPECT_EQ(truncate_reply({out, size}, 512, cut), asked.size());
  EXPECT_NE(cut[2] & 2, 0);
  EXPECT_EQ(cut[7], 0);
}

TEST(DnsMessage, MatchesRepliesToQueries) {
  const Bytes asked = query("\x03web");
  Bytes reply = query("\x03WEB");
  reply[2] = 0x81;
  EXPECT_TRUE(answers_query(reply, asked));
  Bytes other = reply;
  other[0] ^= 1;
  EXPECT_FALSE(answers_query(other, asked));
  EXPECT_FALSE(answers_query(query("\x03web"), asked));  // not a reply
  other = query("\x03wab");
  other[2] = 0x81;
  EXPECT_FALSE(answers_query(other, asked));
  other = query("\x03web", 28);
  other[2] = 0x81;
  EXPECT_FALSE(answers_query(other, asked));
  EXPECT_FALSE(answers_query(Bytes(5, 0), asked));
}

TEST(DnsMessage, SurvivesAnyBytes) {
  std::mt19937 random(7);
  std::vector<std::uint8_t> out(65535);
  for (int i = 0; i < 100000; ++i) {
    Bytes m = i % 2 == 0 ? with_edns(query("\x03web\x07"
                                           "example"),
                                     4096)
                         : Bytes(random() % 64);
    if (i % 2 == 0) {
      for (int k = 0; k < 3; ++k) m[random() % m.size()] = static_cast<std::uint8_t>(random());
      m.resize(random() % (m.size() + 1));
    } else {
      for (auto& b : m) b = static_cast<std::uint8_t>(random());
    }
    Question q;
    const ParseResult result = parse_question(m, &q);
    if (result == ParseResult::kIgnore) continue;
    const std::size_t limit = 512;
    std::size_t size =
        result == ParseResult::kOk
            ? write_answer(m, q, {std::string(4, 'x'), std::string(16, 'y')}, limit, out.data())
            : write_error(m, nullptr, Rcode::kFormErr, limit, out.data());
    EXPECT_GE(size, kDnsHeaderSize);
    EXPECT_LE(size, limit);
    (void)answers_query(m, m);
    (void)truncate_reply(m, 20 + random() % 20, out.data());
  }
}

}  // namespace
}  // namespace stack::netd
