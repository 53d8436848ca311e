// Where a value comes from.
#include "compose/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/compose/support.h"

namespace stack::compose::test {
namespace {

using testing::HasSubstr;

std::string told(const LoadOptions& options, const std::string& subject) {
  const auto answer = explain(options, subject);
  if (const auto* errors = std::get_if<LoadErrors>(&answer)) {
    return "ERROR " + render(*errors, Diagnostic::Severity::kError);
  }
  return to_text(std::get<std::vector<Explanation>>(answer));
}

TEST(Explain, AnOverrideAndWhatItReplaced) {
  auto options = options_for({{"compose.yaml", "services:\n  web:\n    image: nginx:1.24\n"},
                              {"compose.override.yaml", "services: {web: {image: 'nginx:$TAG'}}\n"},
                              {".env", "# which\nTAG=1.25\n"}});
  EXPECT_EQ(told(options, "services.web.image"),
            "services.web.image = nginx:1.25\n"
            "  set      /proj/compose.override.yaml:1:25  nginx:$TAG = nginx:1.25\n"
            "             put over /proj/compose.yaml\n"
            "             TAG = 1.25, from /proj/.env:2\n"
            "  over     /proj/compose.yaml:3:12  nginx:1.24\n");
}

TEST(Explain, ThreeFilesInOrder) {
  auto options = options_for({{"a.yaml", "services: {web: {image: a, hostname: h}}\n"},
                              {"b.yaml", "services: {web: {image: b}}\n"},
                              {"c.yaml", "services: {web: {image: c}}\n"}});
  options.files = {"a.yaml", "b.yaml", "c.yaml"};
  const std::string text = told(options, "services.web");
  EXPECT_THAT(text, HasSubstr("services.web.hostname = h\n"));
  EXPECT_THAT(text, HasSubstr("  set      /proj/c.yaml:1:25  c\n"));
  EXPECT_LT(text.find("over     /proj/b.yaml:1:25  b"), text.find("over     /proj/a.yaml:1:25  a"));
}

TEST(Explain, ListItemsAndLongFormsOfShortOnes) {
  auto options =
      options_for({{"compose.yaml", "services: {web: {image: x, ports: ['8080:80']}}\n"},
                   {"compose.override.yaml", "services: {web: {ports: ['9090:90']}}\n"}});
  EXPECT_THAT(told(options, "services.web.ports[1].target"),
              HasSubstr("services.web.ports[1].target = 90\n"
                        "  set      /proj/compose.override.yaml:1:26"));
  EXPECT_THAT(told(options, "services.web.ports[0]"),
              HasSubstr("services.web.ports[0].published = 8080\n"));
}

TEST(Explain, ExtendsIncludeAndAnchors) {
  auto options = options_for({{"compose.yaml",
                               "include: [inc.yaml]\n"
                               "x-base: &base {image: anchored, init: true}\n"
                               "services:\n"
                               "  a: {extends: {service: b, file: base.yaml}, hostname: mine}\n"
                               "  c: {<<: *base, image: own}\n"},
                              {"base.yaml", "services: {b: {image: based, hostname: theirs}}\n"},
                              {"inc.yaml", "services: {i: {image: included}}\n"}});
  EXPECT_THAT(told(options, "services.a.image"), HasSubstr("set      /proj/base.yaml:1:23  based\n"
                                                           "             extended"));
  EXPECT_THAT(told(options, "services.a.hostname"),
              HasSubstr("over     /proj/base.yaml:1:40  theirs\n"));
  EXPECT_THAT(told(options, "services.i.image"), HasSubstr("included by /proj/compose.yaml:1:11"));
  EXPECT_THAT(told(options, "services.c.image"), HasSubstr("set      /proj/compose.yaml:5:25  own\n"
                                                           "  over     /proj/compose.yaml:2:23"));
  EXPECT_THAT(told(options, "services.c.init"),
              HasSubstr("set      /proj/compose.yaml:2:39  true"));
}

TEST(Explain, WhatResetRemoved) {
  auto options =
      options_for({{"compose.yaml", "services: {web: {image: x, hostname: h}}\n"},
                   {"compose.override.yaml", "services: {web: {hostname: !reset null}}\n"}});
  EXPECT_EQ(told(options, "services.web.hostname"),
            "services.web.hostname is not set\n"
            "  removed  /proj/compose.override.yaml:1:18\n"
            "             put over /proj/compose.yaml\n"
            "  over     /proj/compose.yaml:1:38  h\n");
}

TEST(Explain, AVariableItsSourcesAndItsUses) {
  auto options = options_for({{"compose.yaml",
                               "services:\n  a: {image: \"x:${TAG:-1}\"}\n"
                               "  b: {image: y, environment: {TAG: own}, env_file: b.env}\n"
                               "  c: {image: y, env_file: b.env}\n"},
                              {"one.env", "TAG=one\n"},
                              {"two.env", "A=b\nTAG=two\n"},
                              {"b.env", "TAG=filed\n"}});
  options.env_files = {"one.env", "two.env"};
  options.environment = {{"TAG", "process"}};
  EXPECT_EQ(told(options, "TAG"),
            "TAG = process\n"
            "  set      the environment  process\n"
            "  over     /proj/two.env:2  two\n"
            "  over     /proj/one.env:1  one\n"
            "  used     /proj/compose.yaml:2:14  services.a.image: x:${TAG:-1}\n"
            "services.b.environment.TAG = own\n"
            "  set      /proj/compose.yaml:3:36  own\n"
            "  over     /proj/b.env:1  filed\n"
            "             read for /proj/compose.yaml:3:52\n"
            "services.c.environment.TAG = filed\n"
            "  set      /proj/b.env:1  filed\n"
            "             read for /proj/compose.yaml:4:27\n");
}

TEST(Explain, AnUnsetVariableAndADefault) {
  auto options = options_for({{"compose.yaml", "services: {a: {image: 'x:${TAG:-1}'}}\n"}});
  EXPECT_THAT(told(options, "TAG"), HasSubstr("TAG is not set\n  used "));
  EXPECT_THAT(told(options, "services.a.image"), HasSubstr("             TAG is not set\n"));
  EXPECT_EQ(told(options, "networks.default.name"),
            "networks.default.name = proj_default\n  set      no file: a default  proj_default\n");
  EXPECT_THAT(told(options, "services.nope"), HasSubstr("no value and no variable is called"));
}

TEST(Explain, AsJson) {
  auto options = options_for({{"compose.yaml", "services: {a: {image: x}}\n"}});
  const auto answer = explain(options, "services.a.image");
  EXPECT_EQ(to_json(std::get<0>(answer)),
            R"([
  {
    "subject": "services.a.image",
    "set": true,
    "value": "x",
    "origins": [
      {
        "kind": "file",
        "file": "/proj/compose.yaml",
        "line": 1,
        "column": 23,
        "value": "x",
        "written": "",
        "chain": []
      }
    ],
    "variables": [],
    "uses": []
  }
]
)");
}

}  // namespace
}  // namespace stack::compose::test
