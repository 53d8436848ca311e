// UTF-8 and JSON strings.
#include <gtest/gtest.h>

#include "base/json_quote.h"
#include "base/utf8.h"

namespace stack {
namespace {

TEST(Utf8, EveryCodePointComesBack) {
  for (char32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    utf8::append(text, c);
    std::size_t at = 0;
    ASSERT_EQ(utf8::next(text, at), c);
    ASSERT_EQ(at, text.size());
  }
}

TEST(Utf8, WhatIsNoCodePointIsReplaced) {
  for (const char32_t c : {0xD800U, 0xDFFFU, 0x110000U}) {
    std::string text;
    utf8::append(text, c);
    EXPECT_EQ(text, "\xEF\xBF\xBD");
  }
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(utf8::find_invalid(""), std::string_view::npos);
  EXPECT_EQ(utf8::find_invalid("plain text that is long enough"), std::string_view::npos);
  EXPECT_EQ(utf8::find_invalid("gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\xB3 \xE2\x82\xAC"),
            std::string_view::npos);
  for (const char* wrong : {"\x80", "\xC0\xAF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF5",
                            "\xF4\x90\x80\x80", "\xF0\x8F\xBF\xBF", "\xE2\x82"}) {
    EXPECT_EQ(utf8::find_invalid("12345678" + std::string(wrong)), 8U) << wrong;
    EXPECT_EQ(utf8::find_invalid("123" + std::string(wrong) + "56789012"), 3U) << wrong;
  }
}

TEST(Utf8, LengthCountsCodePointsAndWrongBytes) {
  EXPECT_EQ(utf8::length("a\xC3\xBC\xF0\x9F\x90\xB3"), 3U);
  EXPECT_EQ(utf8::length("a\xFF\xFE"), 3U);
}

TEST(JsonString, IsWrittenAsGoWritesIt) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
  };
  EXPECT_EQ(quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quoted("\b\f\n\r\t\x01\x7f"), "\"\\b\\f\\n\\r\\t\\u0001\x7f\"");
  EXPECT_EQ(quoted("<a&b>"), R"("\u003ca\u0026b\u003e")");
  EXPECT_EQ(quoted("\xC3\xBC\xE2\x80\xA8\xE2\x80\xA9"), "\"\xC3\xBC\\u2028\\u2029\"");
  EXPECT_EQ(quoted("x\xFFy"), R"("x\ufffdy")");
  EXPECT_EQ(quoted(std::string_view("\0", 1)), R"("\u0000")");
}

}  // namespace
}  // namespace stack
