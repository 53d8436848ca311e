#include "compose/dotenv.h"

#include <gtest/gtest.h>

namespace stack::compose {
namespace {

const StringMap kOuter{{"OUT", "outer"}};

const std::string* look(const std::string& name) {
  const auto it = kOuter.find(name);
  return it == kOuter.end() ? nullptr : &it->second;
}

std::string value_of(const std::string& text, const std::string& key) {
  const Result<EnvFile> r = parse_env_file(text, look);
  if (!r.ok()) return "error: " + r.error().message;
  std::string value = "(absent)";
  for (const auto& [k, v] : r->values) {
    if (k == key) value = v;
  }
  return value;
}

TEST(Dotenv, PlainValues) {
  EXPECT_EQ(value_of("A=1\nB = two words  \n", "B"), "two words");
  EXPECT_EQ(value_of("I: y", "I"), "y");
  EXPECT_EQ(value_of("export A=1", "A"), "1");
  EXPECT_EQ(value_of("\xEF\xBB\xBF"
                     "A=1",
                     "A"),
            "1");
  EXPECT_EQ(value_of("A=val # note", "A"), "val");
  EXPECT_EQ(value_of("A=val#c", "A"), "val#c");
  EXPECT_EQ(value_of("A=\nB=1", "A"), "");
  EXPECT_EQ(value_of("1.a-b[0]=x", "1.a-b[0]"), "x");
}

TEST(Dotenv, Quotes) {
  EXPECT_EQ(value_of("A='a$B # x'", "A"), "a$B # x");
  EXPECT_EQ(value_of("A='it\\'s'", "A"), "it's");
  EXPECT_EQ(value_of("A=\"l1\nl2\\n\\t\\\"\"", "A"), "l1\nl2\n\t\"");
  EXPECT_EQ(value_of("A=\"\\$OUT \\x \\0101\"", "A"), "$OUT \\x A");
  EXPECT_EQ(value_of("A=\"x\"y=2", "y"), "2");
  EXPECT_EQ(value_of("A=\"x\" # c\nB=1", "B"), "1");
}

TEST(Dotenv, InterpolationAsksTheOuterEnvironmentFirst) {
  EXPECT_EQ(value_of("OUT=mine\nA=$OUT", "A"), "outer");
  EXPECT_EQ(value_of("X=1\nA=${X}-${Y:-d}", "A"), "1-d");
  EXPECT_EQ(value_of("A=$$x", "A"), "$x");
}

TEST(Dotenv, ABareKeyIsInheritedOrLeftOut) {
  EXPECT_EQ(value_of("OUT", "OUT"), "outer");
  EXPECT_EQ(value_of("NOPE", "NOPE"), "(absent)");
}

TEST(Dotenv, ErrorsNameTheLine) {
  EXPECT_EQ(value_of("\nA B=1", "A"), "error: line 2: key cannot contain a space");
  EXPECT_EQ(value_of("A+=1", "A"),
            "error: line 1: unexpected character \"+\" in variable name \"A+=1\"");
  EXPECT_EQ(value_of("X=1\nA=\"x", "A"), "error: line 2: unterminated quoted value \"x");
}

TEST(Dotenv, RawInterpretsNothing) {
  const Result<EnvFile> r = parse_raw_env_file("A='x' $Y # z\n# c\nOUT\n", look);
  ASSERT_TRUE(r.ok());
  ASSERT_EQ(r->values.size(), 2U);
  EXPECT_EQ(r->values[0].second, "'x' $Y # z");
  EXPECT_EQ(r->values[1].second, "outer");
  EXPECT_EQ(parse_raw_env_file("export E=1", look).error().message,
            "variable 'export E' contains whitespaces");
}

}  // namespace
}  // namespace stack::compose
