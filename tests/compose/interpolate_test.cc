#include "compose/interpolate.h"

#include <gtest/gtest.h>

namespace stack::compose {
namespace {

const StringMap kEnvironment{{"SET", "v"}, {"EMPTY", ""}};

Interpolated run(const std::string& text) {
  return interpolate(text, [](const std::string& name) -> const std::string* {
    const auto it = kEnvironment.find(name);
    return it == kEnvironment.end() ? nullptr : &it->second;
  });
}

struct Case {
  const char* text;
  const char* result;
};

TEST(Interpolate, EveryOperatorForUnsetEmptyAndSet) {
  for (const Case& c : std::initializer_list<Case>{{"${NO}", ""},
                                                   {"${EMPTY}", ""},
                                                   {"${SET}", "v"},
                                                   {"$SET", "v"},
                                                   {"${NO:-w}", "w"},
                                                   {"${EMPTY:-w}", "w"},
                                                   {"${SET:-w}", "v"},
                                                   {"${NO-w}", "w"},
                                                   {"${EMPTY-w}", ""},
                                                   {"${SET-w}", "v"},
                                                   {"${NO:+w}", ""},
                                                   {"${EMPTY:+w}", ""},
                                                   {"${SET:+w}", "w"},
                                                   {"${NO+w}", ""},
                                                   {"${EMPTY+w}", "w"},
                                                   {"${SET+w}", "w"},
                                                   {"${SET:?w}", "v"},
                                                   {"${EMPTY?w}", ""},
                                                   {"${SET?w}", "v"}}) {
    EXPECT_EQ(run(c.text).text, c.result) << c.text;
    EXPECT_FALSE(run(c.text).error) << c.text;
  }
}

TEST(Interpolate, WordsNestAndTheFirstOperatorCounts) {
  EXPECT_EQ(run("${NO:-${NO2:-deep}}").text, "deep");
  EXPECT_EQ(run("${NO:-a${SET}b}").text, "avb");
  EXPECT_EQ(run("${NO:-a:b-c?d+e}").text, "a:b-c?d+e");
  EXPECT_EQ(run("${NO-http://h:80/}").text, "http://h:80/");
  EXPECT_EQ(run("${NO:-{}}").text, "{}");
  EXPECT_EQ(run("${NO:-{a}}x").text, "{a}x");
}

TEST(Interpolate, ADollarBeforeAnythingElseIsItself) {
  for (const char* text : {"$1", "$.", "$(x)", "$-", "a $ b", "$", "%{A}"}) {
    EXPECT_EQ(run(text).text, text);
  }
  EXPECT_EQ(run("$$SET $${SET}").text, "$SET ${SET}");
}

TEST(Interpolate, UnsetVariablesAreNamed) {
  const auto unset = run("$A ${B} ${C:-x} ${C:-${D}}").unset;
  ASSERT_EQ(unset.size(), 3U);
  EXPECT_EQ(unset[0].name, "A");
  EXPECT_EQ(unset[0].offset, 0U);
  EXPECT_EQ(unset[1].name, "B");
  EXPECT_EQ(unset[1].offset, 3U);
  EXPECT_EQ(unset[2].name, "D");
  EXPECT_EQ(unset[2].offset, 21U);
}

TEST(Interpolate, ARequiredVariableSaysWhy) {
  const Interpolated r = run("x${NO:?set it to ${SET}}");
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->message, "required variable NO is missing a value: set it to v");
  EXPECT_EQ(r.error->offset, 1U);
  EXPECT_EQ(run("${EMPTY:?}").error->message, "required variable EMPTY is missing a value");
}

TEST(Interpolate, MalformedBracesAreErrors) {
  for (const char* text :
       {"${}", "${ A}", "${A!x}", "${A:}", "${A:=x}", "${A/x/y}", "${1A}", "${A", "${A:-a\nb}"}) {
    const Interpolated r = run(text);
    ASSERT_TRUE(r.error) << text;
    EXPECT_EQ(r.error->kind, InterpolationError::Kind::kMalformed) << text;
  }
}

TEST(Interpolate, VariablesOfATextWithTheirDefaults) {
  const std::vector<Variable> v = variables_in("$A ${B:-${C:-d}} ${E:?must} ${F:+on} $$G");
  ASSERT_EQ(v.size(), 5U);
  EXPECT_EQ(v[1], (Variable{"B", "${C:-d}", "", false}));
  EXPECT_EQ(v[2], (Variable{"C", "d", "", false}));
  EXPECT_TRUE(v[3].required);
  EXPECT_EQ(v[4].presence_value, "on");
}

}  // namespace
}  // namespace stack::compose
