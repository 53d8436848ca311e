// One word, one meaning: the rule by which a verb is Compose's or Docker's.
#include "cli/command_tree.h"

#include <gtest/gtest.h>

#include <set>

namespace stack::cli {
namespace {

std::optional<Meaning> meaning(std::string_view word, bool in_project) {
  return meaning_of(word, [in_project] { return in_project; });
}

TEST(CommandTree, AVerbOfBothIsComposesInAProject) {
  const auto inside = meaning("ps", true);
  const auto outside = meaning("ps", false);
  ASSERT_TRUE(inside && outside);
  EXPECT_EQ(inside->command->words, Words::kCompose);
  EXPECT_EQ(inside->other_path, "stack container ls");
  EXPECT_EQ(outside->command->words, Words::kDocker);
  EXPECT_EQ(outside->other_path, "stack compose ps");
}

TEST(CommandTree, AVerbOfOneIsAlwaysThat) {
  for (const bool in_project : {true, false}) {
    EXPECT_EQ(meaning("up", in_project)->command->words, Words::kCompose);
    EXPECT_EQ(meaning("rmi", in_project)->command->words, Words::kDocker);
    EXPECT_EQ(meaning("rmi", in_project)->other, nullptr);
    EXPECT_EQ(meaning("image", in_project)->command->name, "image");
    EXPECT_FALSE(meaning("nosuch", in_project));
  }
}

TEST(CommandTree, TheQuestionIsAskedOnlyWhenItMatters) {
  EXPECT_TRUE(meaning_of("up", []() -> bool {
    ADD_FAILURE() << "asked";
    return false;
  }));
}

void check(const Command& command, const std::string& path, Words words) {
  EXPECT_FALSE(command.summary.empty()) << path;
  if (!command.children.empty()) {
    EXPECT_EQ(command.run, nullptr) << path;
    for (const Command* child : command.children)
      check(*child, path + " " + std::string(child->name), child->words);
    return;
  }
  EXPECT_NE(command.run, nullptr) << path;
  EXPECT_EQ(command.words, words) << path;
  EXPECT_LE(command.min_args, command.max_args) << path;
  std::set<std::string_view> names;
  std::set<char> letters;
  for (const FlagSpec& flag : flags_of(command)) {
    EXPECT_TRUE(names.insert(flag.name).second) << path << " --" << flag.name;
    if (flag.shorthand == 0) continue;
    EXPECT_TRUE(letters.insert(flag.shorthand).second) << path << " -" << flag.shorthand;
  }
  EXPECT_NE(command_help(command, path).find(command.summary), std::string::npos);
}

TEST(CommandTree, EveryCommandIsWhole) {
  for (const Command* group : command_groups())
    check(*group, std::string(group->name), group->words);
  for (const ShortForm& form : docker_short_forms())
    check(*form.command, std::string(form.name), Words::kDocker);
  for (const Command* command : compose_commands())
    check(*command, std::string(command->name), Words::kCompose);
}

TEST(CommandTree, HelpNamesEveryWord) {
  const std::string help = main_help();
  for (const std::string& word : first_words())
    EXPECT_NE(help.find("\n  " + word + " "), std::string::npos) << word;
}

}  // namespace
}  // namespace stack::cli
