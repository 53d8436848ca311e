#include "compose/units.h"

#include <gtest/gtest.h>

#include "compose/scalar.h"

namespace stack::compose {
namespace {

using namespace std::chrono_literals;

TEST(Bytes, UnitsArePowersOf1024) {
  EXPECT_EQ(*parse_bytes("1024"), 1024);
  EXPECT_EQ(*parse_bytes("1k"), 1024);
  EXPECT_EQ(*parse_bytes("64 MB"), 64 << 20);
  EXPECT_EQ(*parse_bytes("1.5g"), 1610612736);
  EXPECT_EQ(*parse_bytes("2KiB"), 2048);
  EXPECT_EQ(*parse_bytes("-1"), -1);
  EXPECT_EQ(parse_bytes("10x").error().message, "invalid suffix: 'x'");
  EXPECT_EQ(parse_bytes("").error().message, "invalid size: ''");
  EXPECT_FALSE(parse_bytes("1  k").ok());
}

TEST(Durations, RunsOfNumbersWithUnits) {
  EXPECT_EQ(*parse_duration("1m30s"), 90s);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("100us"), 100us);
  EXPECT_EQ(*parse_duration("1w2d"), 216h);
  EXPECT_EQ(*parse_duration("0"), 0s);
  EXPECT_EQ(parse_duration("10").error().message, "time: missing unit in duration \"10\"");
  EXPECT_EQ(parse_duration("10x").error().message, "time: unknown unit \"x\" in duration \"10x\"");
  EXPECT_FALSE(parse_duration("").ok());
}

TEST(Durations, CanonicalText) {
  EXPECT_EQ(duration_text(90s), "1m30s");
  EXPECT_EQ(duration_text(24h), "24h0m0s");
  EXPECT_EQ(duration_text(1500ms), "1.5s");
  EXPECT_EQ(duration_text(100us), "100µs");
  EXPECT_EQ(duration_text(0s), "0s");
}

TEST(Commands, AreSplitLikeAShellDoes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(*split_command("sh -c 'a b' c\\ d \"e f\""), (Words{"sh", "-c", "a b", "c d", "e f"}));
  EXPECT_EQ(*split_command("a '' \"\""), (Words{"a", "", ""}));
  EXPECT_EQ(*split_command("e `x y` $(a b)"), (Words{"e", "`x y`", "$(a b)"}));
  bool cut = false;
  EXPECT_EQ(*split_command("echo a && b", &cut), (Words{"echo", "a"}));
  EXPECT_TRUE(cut);
  EXPECT_FALSE(split_command("a 'b").ok());
  EXPECT_FALSE(split_command("a (b)").ok());
}

TEST(Scalars, AreThoseOfYaml12PlusOctal) {
  using Kind = Node::Kind;
  const auto is = [](const char* text, Kind kind, const char* canonical) {
    const Node n = resolve_plain_scalar(text, {});
    EXPECT_EQ(n.kind, kind) << text;
    EXPECT_EQ(n.text, canonical) << text;
  };
  for (const char* word :
       {"yes", "no", "on", "off", "y", "22:22", "1.2.3", "-", "0x", "2024-01-01"}) {
    is(word, Kind::kString, word);
  }
  is("True", Kind::kBool, "true");
  is("0755", Kind::kInt, "493");
  is("0o17", Kind::kInt, "15");
  is("0xff", Kind::kInt, "255");
  is("1_000", Kind::kInt, "1000");
  is("1e3", Kind::kFloat, "1000");
  is("1.0", Kind::kFloat, "1");
  is(".inf", Kind::kFloat, "+Inf");
  is("~", Kind::kNull, "");
  is("089", Kind::kFloat, "89");
}

}  // namespace
}  // namespace stack::compose
