#include "cli/flags.h"

#include "cli/command_tree.h"
#include "cli/up_options.h"
#include "compose/project.h"

namespace stack::cli {
namespace {

constexpr FlagSpec kFlags[] = {
    {"detach", 'd'},
    {"tty", 't'},
    {"timeout", 'n', FlagType::kInt, "", "10"},
    {"env", 'e', FlagType::kList},
    {"name", 0, FlagType::kString},
    {"filter", 0, FlagType::kFilters},
};

Result<Arguments> parse(std::vector<std::string> args, bool interspersed = true) {
  return parse_flags(kFlags, args, interspersed);
}

std::string error_of_flags(std::vector<std::string> args) {
  const auto parsed = parse(std::move(args));
  return parsed.ok() ? "" : parsed.error().message;
}

TEST(Flags, EverySpelling) {
  const auto parsed = parse({"-dt", "-n5", "--env=A=1", "-e", "B=2", "web", "--name", "x"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->on("detach"));
  EXPECT_TRUE(parsed->on("tty"));
  EXPECT_EQ(parsed->number("timeout"), 5);
  EXPECT_EQ(parsed->list("env"), (std::vector<std::string>{"A=1", "B=2"}));
  EXPECT_EQ(parsed->text("name"), "x");
  EXPECT_EQ(parsed->positional, std::vector<std::string>{"web"});
}

TEST(Flags, DefaultsAndNegation) {
  const auto parsed = parse({"--detach=false"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_FALSE(parsed->on("detach"));
  EXPECT_TRUE(parsed->given("detach"));
  EXPECT_EQ(parsed->number("timeout"), 10);
  EXPECT_FALSE(parsed->given("timeout"));
}

TEST(Flags, ACommandKeepsItsOwnFlags) {
  const auto parsed = parse({"-d", "web", "ls", "-l", "--all"}, false);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->positional, (std::vector<std::string>{"web", "ls", "-l", "--all"}));
  EXPECT_EQ(parse({"--", "-d"})->positional, std::vector<std::string>{"-d"});
}

TEST(Flags, ErrorsHaveTheWordsOfCompose) {
  EXPECT_EQ(error_of_flags({"--frob"}), "unknown flag: --frob");
  EXPECT_EQ(error_of_flags({"-f", "x"}), "unknown shorthand flag: 'f' in -f");
  EXPECT_EQ(error_of_flags({"--name"}), "flag needs an argument: --name");
  EXPECT_EQ(error_of_flags({"-e"}), "flag needs an argument: 'e' in -e");
  EXPECT_EQ(error_of_flags({"-n", "x"}),
            "invalid argument \"x\" for \"-n, --timeout\" flag: strconv.ParseInt: parsing \"x\": "
            "invalid syntax");
  EXPECT_EQ(error_of_flags({"--detach=maybe"}),
            "invalid argument \"maybe\" for \"-d, --detach\" flag: strconv.ParseBool: parsing "
            "\"maybe\": invalid syntax");
  EXPECT_EQ(parse({"--detahc"}).error().remedy, "Did you mean --detach?");
}

TEST(Flags, FiltersAreNamesAndValues) {
  EXPECT_EQ(error_of_flags({"--filter", "x"}),
            "invalid argument \"x\" for \"--filter\" flag: bad format of filter (expected "
            "name=value)");
  EXPECT_EQ(parse({"--filter", "a=b", "--filter=c="})->list("filter"),
            (std::vector<std::string>{"a=b", "c="}));
}

TEST(Flags, HelpIsAlignedAndWrapped) {
  constexpr FlagSpec kTwo[] = {
      {"zeta", 'z', FlagType::kString, "Short", "auto"},
      {"alpha", 0, FlagType::kBool,
       "A text that is much too long for the rest of a line of eighty columns, so it wraps"},
  };
  EXPECT_EQ(flag_help(kTwo),
            "      --alpha         A text that is much too long for the rest of a line of\n"
            "                      eighty columns, so it wraps\n"
            "  -z, --zeta string   Short (default \"auto\")\n");
}

TEST(Nearest, OnlyWhatIsNear) {
  const std::vector<std::string> names{"up", "down", "logs", "restart"};
  EXPECT_EQ(nearest("dwon", names), "down");
  EXPECT_EQ(nearest("log", names), "logs");
  EXPECT_EQ(nearest("frobnicate", names), std::nullopt);
}

Status check_up(std::vector<std::string> args) {
  const Command* up = find_command(compose_commands(), "up");
  return check_up_flags(parse_flags(up->flags, args, true).value());
}

TEST(UpFlags, ConflictsHaveTheWordsOfCompose) {
  const std::string detach =
      "--detach cannot be combined with --abort-on-container-exit, --abort-on-container-failure, "
      "--attach, "
      "--attach-dependencies or --watch";
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--build", "--no-build"}, "--build and --no-build are incompatible"},
      {{"--force-recreate", "--no-recreate"},
       "--force-recreate and --no-recreate are incompatible"},
      {{"--always-recreate-deps", "--no-recreate"},
       "--always-recreate-deps and --no-recreate are incompatible"},
      {{"-V", "--no-recreate"}, "--no-recreate and --renew-anon-volumes are incompatible"},
      {{"-d", "--abort-on-container-exit"}, detach},
      {{"-d", "--exit-code-from", "web"}, detach},
      {{"-d", "--attach", "web"}, detach},
      {{"--wait", "--abort-on-container-exit"},
       "--wait cannot be combined with --abort-on-container-exit, --attach or "
       "--attach-dependencies"},
      {{"--abort-on-container-exit", "--abort-on-container-failure"},
       "--abort-on-container-failure cannot be combined with --abort-on-container-exit"},
      {{"--attach", "a", "--attach-dependencies"},
       "cannot combine --attach and --attach-dependencies"},
  };
  for (const auto& [args, text] : cases) {
    const Status status = check_up(args);
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.error().message, text);
  }
  EXPECT_TRUE(check_up({"-d", "--build"}).ok());
  EXPECT_TRUE(check_up({"--exit-code-from", "a", "--abort-on-container-failure"}).ok());
}

TEST(UpOptions, BecomeTheOptionsOfTheEndpoint) {
  compose::Project project;
  project.name = "demo";
  project.services["web"].name = "web";
  const Command* up = find_command(compose_commands(), "up");
  const std::vector<std::string> args{"-d", "--build", "--scale", "web=3", "-t",
                                      "5",  "--pull",  "always",  "web"};
  const auto options = up_options(parse_flags(up->flags, args, true).value(), project);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->text(),
            R"({"services":["web"],"build":true,"pull":"always","timeout":5,"scale":{"web":3}})");

  const auto fails = [&](std::vector<std::string> wrong) {
    return up_options(parse_flags(up->flags, wrong, true).value(), project).error().message;
  };
  EXPECT_EQ(fails({"--scale", "a"}), "invalid --scale option \"a\". Should be SERVICE=NUM");
  EXPECT_EQ(fails({"--scale", "x=2"}), "no such service: x: not found");
  EXPECT_EQ(fails({"--pull", "foo"}), "invalid --pull option \"foo\"");
  EXPECT_EQ(scale_option({"a=foo"}, true).error().message,
            "invalid scale specifier: can't parse replica value as int: a=foo");
}

}  // namespace
}  // namespace stack::cli
