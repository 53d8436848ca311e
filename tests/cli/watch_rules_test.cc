#include "cli/watch_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/tree_watch.h"

namespace stack::cli {
namespace {

using testing::ElementsAre;
using testing::Pair;

compose::Project project_with(std::vector<compose::WatchTrigger> triggers) {
  compose::Project project;
  compose::Service& service = project.services["web"];
  service.image = "x";
  service.develop.emplace();
  service.develop->watch = std::move(triggers);
  return project;
}

compose::WatchTrigger trigger(std::string action, std::string path, std::string target = {}) {
  compose::WatchTrigger t;
  t.action = std::move(action);
  t.path = std::move(path);
  t.target = std::move(target);
  return t;
}

TEST(WatchRules, MapPathsAndIgnoreWhatIsIgnored) {
  compose::WatchTrigger sync = trigger("sync", "/src/app", "/app");
  sync.ignore = {"node_modules/", "*.tmp"};
  const auto rules = watch_rules(project_with({sync}), {});
  ASSERT_TRUE(rules.ok());
  const WatchRule& rule = rules->rules.front();
  EXPECT_EQ(rule.target_of("/src/app/a/b.js"), "/app/a/b.js");
  EXPECT_TRUE(rule.matches("/src/app/a/b.js"));
  EXPECT_FALSE(rule.matches("/src/application/b.js"));
  EXPECT_FALSE(rule.matches("/src/app/node_modules/x/y.js"));
  EXPECT_FALSE(rule.matches("/src/app/x.tmp"));
  EXPECT_FALSE(rule.matches("/src/app/.git/index"));
  EXPECT_FALSE(rule.matches("/src/app/a/.b.js.swp"));
  EXPECT_TRUE(rule.can_skip("/src/app/node_modules"));
  EXPECT_FALSE(rule.can_skip("/src/app/a"));
}

TEST(WatchRules, IncludeNamesWhatCountsAlone) {
  compose::WatchTrigger sync = trigger("sync", "/src", "/app");
  sync.include = {"**/*.css"};
  const auto rules = watch_rules(project_with({sync}), {});
  EXPECT_TRUE(rules->rules[0].matches("/src/a/b.css"));
  EXPECT_FALSE(rules->rules[0].matches("/src/a/b.js"));
}

TEST(WatchRules, GatherTheWorkOfABurst) {
  const auto project =
      project_with({trigger("sync", "/src", "/app"), trigger("sync+restart", "/src/conf", "/conf"),
                    trigger("restart", "/src/flag")});
  const auto rules = watch_rules(project, {});
  auto work = work_for(rules->rules, {"/src/a", "/src/conf/b", "/elsewhere"});
  ASSERT_EQ(work.size(), 1U);
  EXPECT_THAT(work["web"].files,
              ElementsAre(Pair("/src/a", "/app/a"), Pair("/src/conf/b", "/conf/b")));
  EXPECT_TRUE(work["web"].restart);
  EXPECT_FALSE(work["web"].rebuild);
}

TEST(WatchRules, SayWhenThereIsNothingToWatch) {
  compose::Project project;
  project.services["web"].image = "x";
  EXPECT_EQ(watch_rules(project, {}).error().message,
            "none of the selected services is configured for watch, consider setting a 'develop' "
            "section");
  EXPECT_THAT(watch_rules(project_with({trigger("rebuild", "/src")}), {}).error().message,
              testing::HasSubstr("without a build context"));
}

TEST(TreeWatch, SeesFilesOfDirectoriesThatAppear) {
  char directory[] = "/tmp/tree-watch-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string root = directory;
  auto watch = TreeWatch::create([](const std::string& path) { return path.ends_with("/skip"); });
  ASSERT_TRUE(watch.ok());
  ASSERT_TRUE(watch->add(root).ok());
  std::filesystem::create_directories(root + "/a/b");
  std::filesystem::create_directories(root + "/skip");
  std::ofstream(root + "/a/b/early") << "1";
  std::set<std::string> changed;
  ASSERT_TRUE(watch->take(&changed).ok());
  EXPECT_TRUE(changed.contains(root + "/a/b/early"));
  changed.clear();
  std::ofstream(root + "/a/b/late") << "1";
  std::ofstream(root + "/skip/x") << "1";
  std::filesystem::remove(root + "/a/b/early");
  ASSERT_TRUE(watch->take(&changed).ok());
  EXPECT_THAT(changed, ElementsAre(root + "/a/b/early", root + "/a/b/late"));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace stack::cli
