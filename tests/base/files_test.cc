#include "base/files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace stack {
namespace {

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/stack-files-XXXXXX";
    dir_ = ::mkdtemp(pattern);
  }
  void TearDown() override { ASSERT_TRUE(remove_tree(dir_).ok()); }
  std::filesystem::path dir_;
};

TEST_F(Files, ReplaceLeavesTheOldTextOrTheNew) {
  ASSERT_TRUE(replace_file(dir_ / "a", "one").ok());
  ASSERT_TRUE(replace_file(dir_ / "a", "two").ok());
  EXPECT_EQ(read_file(dir_ / "a").value(), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_), {}), 1);
  EXPECT_FALSE(replace_file(dir_ / "missing" / "a", "x").ok());
}

TEST_F(Files, LockIsExclusive) {
  auto first = lock_file(dir_ / "lock", false);
  ASSERT_TRUE(first.ok());
  auto second = lock_file(dir_ / "lock", false);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  first.value().reset();
  EXPECT_TRUE(lock_file(dir_ / "lock", false).ok());
}

TEST_F(Files, MakeDirectoriesRefusesAFileInTheWay) {
  ASSERT_TRUE(make_directories(dir_ / "a/b/c").ok());
  ASSERT_TRUE(make_directories(dir_ / "a/b/c").ok());
  ASSERT_TRUE(write_file(dir_ / "f", "").ok());
  EXPECT_EQ(make_directories(dir_ / "f/x").error().os_errno, ENOTDIR);
}

TEST_F(Files, ReadRefusesMoreThanTheLimit) {
  ASSERT_TRUE(write_file(dir_ / "big", std::string(100, 'x')).ok());
  EXPECT_FALSE(read_file(dir_ / "big", 99).ok());
  EXPECT_TRUE(read_file(dir_ / "big", 100).ok());
}

}  // namespace
}  // namespace stack
