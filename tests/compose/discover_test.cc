#include "compose/discover.h"

#include <gtest/gtest.h>

#include "tests/compose/support.h"

namespace stack::compose::test {
namespace {

using Paths = std::vector<std::string>;

TEST(Discover, TheFirstNameWinsAndItsOverrideFollows) {
  const auto found = discover(options_for(
      {{"compose.yml", ""}, {"docker-compose.yml", ""}, {"docker-compose.override.yaml", ""}}));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->files, (Paths{"/proj/compose.yml", "/proj/docker-compose.override.yaml"}));
  ASSERT_EQ(found->warnings.size(), 2U);
  EXPECT_EQ(found->warnings[0],
            "Found multiple config files with supported names: /proj/compose.yml, "
            "/proj/docker-compose.yml");
}

TEST(Discover, ParentsAreSearchedUpToTheRoot) {
  LoadOptions options = options_for({{"compose.yaml", ""}});
  options.working_directory = "/proj/a/b";
  EXPECT_EQ(discover(options)->files, Paths{"/proj/compose.yaml"});
  EXPECT_EQ(discover(options)->directory, "/proj");
  options.working_directory = "/other";
  EXPECT_EQ(discover(options).error().message, "no configuration file provided: not found");
}

TEST(Discover, FilesThatAreNamedHaveNoOverride) {
  LoadOptions options =
      options_for({{"compose.yaml", ""}, {"compose.override.yaml", ""}, {"b/x.yaml", ""}});
  options.files = {"b/x.yaml", "compose.yaml"};
  EXPECT_EQ(discover(options)->files, (Paths{"/proj/b/x.yaml", "/proj/compose.yaml"}));
  EXPECT_EQ(discover(options)->directory, "/proj/b");
  options.files.clear();
  options.environment["COMPOSE_FILE"] = "compose.yaml:b/x.yaml";
  EXPECT_EQ(discover(options)->files, (Paths{"/proj/compose.yaml", "/proj/b/x.yaml"}));
}

TEST(Discover, TheEnvironmentWinsOverDotEnvAndGivenFilesReplaceIt) {
  LoadOptions options = options_for(
      {{"compose.yaml", ""}, {".env", "A=dot\nB=dot"}, {"1.env", "B=1\nC=1"}, {"2.env", "C=2"}});
  options.environment["A"] = "process";
  auto found = discover(options);
  EXPECT_EQ(found->environment["A"], "process");
  EXPECT_EQ(found->environment["B"], "dot");
  options.env_files = {"1.env", "2.env"};
  found = discover(options);
  EXPECT_EQ(found->environment["B"], "1");
  EXPECT_EQ(found->environment["C"], "2");
  options.env_files = {"nope.env"};
  EXPECT_EQ(discover(options).error().message, "couldn't find env file: /proj/nope.env");
}

TEST(Discover, NamesFromDirectoriesAreNormalised) {
  EXPECT_EQ(normalized_project_name("My Proj.v2_X"), "myprojv2_x");
  EXPECT_EQ(normalized_project_name("_-x"), "x");
  EXPECT_EQ(normalized_project_name("été"), "t");
  EXPECT_EQ(normalized_project_name("..."), "");
}

TEST(Discover, GivenNamesMustBeNormalisedAlready) {
  LoadOptions options = options_for({{"compose.yaml", "services: {}"}});
  options.project_name = "Foo";
  EXPECT_EQ(discover(options).error().message,
            "invalid project name \"Foo\": must consist only of lowercase alphanumeric characters, "
            "hyphens, and underscores as well as start with a letter or number");
}

TEST(ProjectName, CommandLineThenEnvironmentThenFileThenDirectory) {
  LoadOptions options = options_for({{"compose.yaml", "name: From File\nservices: {}\n"}});
  EXPECT_EQ(loaded(options).project.name, "fromfile");
  EXPECT_EQ(*resolve_project_name(options), "fromfile");
  options.environment["COMPOSE_PROJECT_NAME"] = "env";
  EXPECT_EQ(loaded(options).project.name, "env");
  options.project_name = "flag";
  EXPECT_EQ(loaded(options).project.name, "flag");
  EXPECT_EQ(loaded("services: {}\n").project.name, "proj");
}

}  // namespace
}  // namespace stack::compose::test
