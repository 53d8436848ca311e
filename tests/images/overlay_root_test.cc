#include <fcntl.h>

#include "images/copy.h"
#include "images/overlay.h"
#include "tests/images/root_support.h"

namespace stack::images::test {
namespace {

namespace fs = std::filesystem;

// fsconfig(2) takes a path of 255 bytes and refuses a longer one as old kernels refuse all of it:
// the second length goes the way of mount(2).
class OverlayTest : public StoreTest, public ::testing::WithParamInterface<std::size_t> {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    base_ = dir_ / std::string(GetParam() / 2, 'a') / std::string(GetParam() / 2, 'b');
  }
  // A directory of the base with one file in it.
  fs::path layer(const std::string& name, const std::string& file, const std::string& text) {
    const fs::path path = base_ / name;
    EXPECT_TRUE(make_directories(path).ok());
    if (!file.empty()) {
      EXPECT_TRUE(write_file(path / file, text).ok());
    }
    return path;
  }
  std::string read_in(const Fd& root, const std::string& path) {
    auto file = open_in_root(root.get(), path, O_RDONLY);
    if (!file.ok()) return "<none>";
    auto text = read_all(file->get());
    return text.ok() ? *text : "<unreadable>";
  }

  fs::path base_;
};

TEST_P(OverlayTest, TheTopmostLayerWins) {
  const auto top = layer("top", "f", "top");
  const auto bottom = layer("bottom", "f", "bottom");
  ASSERT_TRUE(write_file(bottom / "g", "below").ok());
  auto root = mount_overlay({top, bottom});
  ASSERT_TRUE(root.ok()) << root.error().to_string();
  EXPECT_EQ(read_in(*root, "/f"), "top");
  EXPECT_EQ(read_in(*root, "/g"), "below");
}

TEST_P(OverlayTest, WithoutAnUpperDirectoryNothingCanBeWritten) {
  auto root = mount_overlay({layer("top", "f", "top"), layer("bottom", "f", "bottom")});
  ASSERT_TRUE(root.ok()) << root.error().to_string();
  auto file = open_in_root(root->get(), "/new", O_WRONLY | O_CREAT, 0644);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().os_errno, EROFS);
}

TEST_P(OverlayTest, WhatIsWrittenIsInTheUpperDirectoryAlone) {
  const auto lower = layer("lower", "f", "old");
  const auto upper = layer("upper", "", "");
  {
    auto root = mount_overlay({lower}, upper, layer("work", "", ""));
    ASSERT_TRUE(root.ok()) << root.error().to_string();
    auto file = open_in_root(root->get(), "/f", O_WRONLY | O_TRUNC);
    ASSERT_TRUE(file.ok()) << file.error().to_string();
    ASSERT_EQ(::write(file->get(), "new", 3), 3);
  }
  EXPECT_EQ(read(lower / "f"), "old");
  EXPECT_EQ(read(upper / "f"), "new");
}

TEST_P(OverlayTest, SixtyLayers) {
  std::vector<fs::path> lowers;
  for (int i = 0; i < 60; ++i) {
    const std::string name = std::to_string(i);
    lowers.push_back(layer(name, name, name));
  }
  auto root = mount_overlay(lowers);
  ASSERT_TRUE(root.ok()) << root.error().to_string();
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(read_in(*root, "/" + std::to_string(i)), std::to_string(i));
  }
}

TEST_P(OverlayTest, AMissingLayerIsNamed) {
  auto root = mount_overlay({base_ / "gone", layer("bottom", "f", "bottom")});
  ASSERT_FALSE(root.ok());
  EXPECT_EQ(root.error().os_errno, ENOENT);
  EXPECT_NE(root.error().to_string().find("gone"), std::string::npos) << root.error().to_string();
}

INSTANTIATE_TEST_SUITE_P(PathLengths, OverlayTest, ::testing::Values(20, 400));

}  // namespace
}  // namespace stack::images::test
