#include "engine/state_store.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/files.h"

namespace stack::engine {
namespace {

class StateStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/stack-state-XXXXXX";
    dir_ = ::mkdtemp(pattern);
  }
  void TearDown() override { ASSERT_TRUE(remove_tree(dir_).ok()); }
  std::filesystem::path dir_;
};

TEST_F(StateStoreTest, KeepsDocumentsByKindAndKeyAcrossOpens) {
  {
    auto store = StateStore::open(dir_ / "state.db");
    ASSERT_TRUE(store.ok()) << store.error().to_string();
    ASSERT_TRUE((*store)->put("container", "a", "{\"x\":1}").ok());
    ASSERT_TRUE((*store)->put("container", "a", "{\"x\":2}").ok());
    ASSERT_TRUE((*store)->put("volume", "a", "v").ok());
    ASSERT_TRUE((*store)->put("container", "b", "gone").ok());
    ASSERT_TRUE((*store)->erase("container", "b").ok());
  }
  auto store = StateStore::open(dir_ / "state.db");
  ASSERT_TRUE(store.ok());
  const auto rows = (*store)->all("container");
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front(), (std::pair<std::string, std::string>("a", "{\"x\":2}")));
}

TEST_F(StateStoreTest, IsForItsOwnerAlone) {
  const auto store = StateStore::open(dir_ / "state.db");
  ASSERT_TRUE(store.ok());
  for (const auto& file : std::filesystem::directory_iterator(dir_)) {
    EXPECT_EQ(file.status().permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
        << file.path();
  }
}

TEST_F(StateStoreTest, BelongsToOneEngineAtATime) {
  auto first = StateStore::open(dir_ / "state.db");
  ASSERT_TRUE(first.ok());
  auto second = StateStore::open(dir_ / "state.db");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
}

}  // namespace
}  // namespace stack::engine
