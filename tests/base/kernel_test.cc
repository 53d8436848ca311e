#include "base/kernel.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <cstdio>

namespace stack {
namespace {

TEST(Kernel, TheRunningReleaseIsTheBound) {
  utsname name{};
  ASSERT_EQ(::uname(&name), 0);
  int major = 0;
  int minor = 0;
  ASSERT_EQ(std::sscanf(name.release, "%d.%d", &major, &minor), 2);
  EXPECT_TRUE(kernel_at_least(major, minor));
  EXPECT_FALSE(kernel_at_least(major, minor + 1));
  EXPECT_TRUE(kernel_at_least(major - 1, minor + 1));
  EXPECT_FALSE(kernel_at_least(major + 1, 0));
}

}  // namespace
}  // namespace stack
