// What the loader says beside errors, and how editors get it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/compose/support.h"

namespace stack::compose::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Severity = Diagnostic::Severity;

std::vector<Diagnostic> all_of(LoadOptions options) {
  options.lint = true;
  auto outcome = load(options);
  if (auto* errors = std::get_if<LoadErrors>(&outcome)) return *errors;
  return std::get<LoadResult>(outcome).warnings;
}

std::vector<Diagnostic> all_of(const std::string& text) {
  return all_of(options_for({{"compose.yaml", text}}));
}

std::vector<std::string> codes_of(const std::vector<Diagnostic>& all) {
  std::vector<std::string> codes;
  for (const Diagnostic& d : all) codes.push_back(d.code);
  return codes;
}

TEST(Diagnostics, ForEditorsAreAJsonArray) {
  EXPECT_EQ(to_json(all_of("services:\n  web:\n    imge: \"n\xC3\xBC\"\n")),
            "[\n"
            "  {\n"
            "    \"file\": \"/proj/compose.yaml\",\n"
            "    \"line\": 3,\n"
            "    \"column\": 5,\n"
            "    \"endColumn\": 9,\n"
            "    \"severity\": \"error\",\n"
            "    \"code\": \"unknown-key\",\n"
            "    \"message\": \"services.web additional properties 'imge' not allowed\",\n"
            "    \"hint\": \"did you mean `image`?\",\n"
            "    \"chain\": []\n"
            "  }\n"
            "]\n");
  EXPECT_EQ(to_json({}), "[]\n");
}

TEST(Diagnostics, ColumnsCountCharacters) {
  const auto all = all_of("services: {\xC3\xA4\xC3\xB6: 1, a: {image: x, ports: 80}}\n");
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back().where.column, 40);
  EXPECT_EQ(all.back().end_column, 42);
  EXPECT_THAT(render(all.back()), HasSubstr("\n" + std::string(41, ' ') + "^~"));
}

TEST(Diagnostics, OfALongLineOnlyThePartAroundTheWordIsShown) {
  const std::string padding(100'000, 'x');
  const auto all = all_of("services: {a: {image: '" + padding + "', prots: [], labels: {l: '" +
                          padding + "'}}}");
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all[0].code, "unknown-key");
  EXPECT_LT(all[0].excerpt.size(), 200U);
  EXPECT_THAT(render(all[0]), HasSubstr("prots: []"));
}

TEST(Diagnostics, AVariableIsUnderlinedWhereItIsUsed) {
  const auto all = all_of(
      "services:\n  a:\n    image: \"x:$$y${TAG}\"\n    command: |\n      first\n      $LATER\n");
  ASSERT_THAT(codes_of(all), ElementsAre("unset-variable", "unset-variable"));
  EXPECT_EQ(all[0].where.line, 3);
  EXPECT_EQ(all[0].where.column, 18);
  EXPECT_EQ(all[0].end_column, 24);
  EXPECT_EQ(all[1].where.line, 6);
  EXPECT_EQ(all[1].where.column, 7);
  EXPECT_THAT(all[1].hint, HasSubstr("for the container's own $LATER write $$LATER"));
}

TEST(Diagnostics, SeveralUsesOfAnUnsetVariableAreOneWarningForPeople) {
  const auto all = all_of("services:\n  a:\n    image: x$TAG\n    hostname: h$TAG\n");
  EXPECT_EQ(
      render(all, Severity::kWarning),
      "/proj/compose.yaml:3:13: warning: The \"TAG\" variable is not set. Defaulting to a blank "
      "string.\n"
      "      image: x$TAG\n"
      "              ^~~~\n"
      "  hint: set it, or say what it is without: ${TAG:-default}\n"
      "  also at /proj/compose.yaml:4:16\n");
}

TEST(Diagnostics, TheObsoleteVersionIsANote) {
  const auto all = all_of("version: '3'\nservices: {a: {image: x}}\n");
  ASSERT_THAT(codes_of(all), ElementsAre("obsolete"));
  EXPECT_EQ(all[0].severity, Severity::kNote);
  EXPECT_EQ(render(all, Severity::kWarning), "");
}

TEST(Diagnostics, AnErrorInAnIncludedFileNamesTheWayThere) {
  const auto all = all_of(options_for({{"compose.yaml", "include:\n  - sub/a.yaml\n"},
                                       {"sub/a.yaml", "include: [b.yaml]\n"},
                                       {"sub/b.yaml", "services: {a: {image: x, prots: []}}\n"}}));
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all[0].where.file, "/proj/sub/b.yaml");
  EXPECT_THAT(all[0].chain, ElementsAre("included by /proj/sub/a.yaml:1:11",
                                        "included by /proj/compose.yaml:2:5"));
}

TEST(Diagnostics, AnErrorInAnEnvironmentFileIsShownThere) {
  const auto all =
      all_of(options_for({{"compose.yaml", "services: {a: {image: x, env_file: a.env}}\n"},
                          {"a.env", "A=1\nB C=2\n"}}));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].where, (SourceLoc{"/proj/a.env", 2, 3}));
  EXPECT_EQ(all[0].code, "env-file");
  EXPECT_EQ(all[0].excerpt, "B C=2");
  EXPECT_THAT(all[0].chain, ElementsAre("read for /proj/compose.yaml:1:36"));

  const auto dot_env = all_of(
      options_for({{"compose.yaml", "services: {a: {image: x}}\n"}, {".env", "A=1\nB='\n"}}));
  ASSERT_EQ(dot_env.size(), 1U);
  EXPECT_EQ(dot_env[0].where.line, 2);
  EXPECT_EQ(dot_env[0].excerpt, "B='");
}

TEST(Lint, AHostPortThatListsOfTwoFilesPublishTwice) {
  auto options = options_for(
      {{"compose.yaml", "services: {web: {image: x, ports: ['8080:80']}}\n"},
       {"compose.override.yaml", "services: {web: {ports: ['127.0.0.1:8080:8080']}}\n"}});
  const auto all = all_of(options);
  ASSERT_THAT(codes_of(all), ElementsAre("duplicate-port"));
  EXPECT_EQ(all[0].message, "services.web: host port 8080 is published twice, for 80 and for 8080");
  EXPECT_EQ(all[0].where.file, "/proj/compose.override.yaml");
  EXPECT_THAT(all[0].hint, HasSubstr("`ports: !override`"));
}

TEST(Lint, PortsThatDoNotMeetAreNoDuplicates) {
  for (const char* ports :
       {"['127.0.0.1:80:80', '127.0.0.2:80:80']", "['80:80/tcp', '80:80/udp']", "['80', '80:80']",
        "['8000-8010:80', '8000-8010:81']", "['127.0.0.1:80:80', '[::1]:80:80']"}) {
    EXPECT_THAT(codes_of(all_of("services: {a: {image: x, ports: " + std::string(ports) + "}}\n")),
                ElementsAre())
        << ports;
  }
}

TEST(Lint, FindsWhatIsProbablyNotMeant) {
  struct Case {
    const char* text;
    const char* code;
    const char* message;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"services: {a: {image: x, ports: ['80:80']}, b: {image: x, ports: ['80:81']}}",
            "duplicate-port", "services.b: host port 80 is also published by service a"},
           {"services: {a: {image: x, ports: ['80:80'], scale: 2}}", "replicas-share-port",
            "services.a: 2 replicas cannot all publish host port 80"},
           {"services: {a: {image: x, ports: ['80:80'], network_mode: host}}",
            "ports-on-host-network", "services.a.ports has no effect with network_mode: host"},
           {"services: {a: {image: x, environment: ['A=\"b\"']}}", "quotes-in-value",
            "services.a.environment.A: the quotes are part of the value"},
           {"services: {a: {image: x, depends_on: {b: {condition: service_healthy}}}, b: {image: "
            "x}}",
            "no-healthcheck", "services.a: service b has no healthcheck here"},
           {"services: {a: {image: x, volumes: ['./none:/n']}}", "no-bind-source",
            "services.a: /proj/none does not exist and will be created as an empty directory"},
           {"services: {a: {image: x}}\nvolumes: {data: {}}", "unused",
            "volumes.data is used by no service"},
           {"services: {a: {image: x, healthcheck: {test: 'true', start_interval: 1s}}}",
            "no-start-period",
            "services.a.healthcheck.start_interval requires start_period to be set"}}) {
    const auto all = all_of(c.text);
    ASSERT_EQ(all.size(), 1U) << c.text << render(all, Severity::kNote);
    EXPECT_EQ(all[0].code, c.code);
    EXPECT_EQ(all[0].message, c.message);
    EXPECT_GT(all[0].where.column, 1);
  }
}

TEST(Lint, NotesAreOnlyLookedForWhenAskedFor) {
  EXPECT_TRUE(loaded("services: {a: {image: x}}\nvolumes: {data: {}}").warnings.empty());
}

}  // namespace
}  // namespace stack::compose::test
