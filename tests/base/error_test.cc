#include "base/error.h"

#include <gtest/gtest.h>

namespace stack {
namespace {

Result<int> fails() { return Error::at({"compose.yaml", 14, 11}, "no such service: web"); }
Result<int> passes_on() { return TRY_WHILE(fails(), "loading the project"); }

TEST(Error, RendersPlaceStepsAndMessage) {
  const auto r = passes_on();
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error().to_string(), "compose.yaml:14:11: loading the project: no such service: web");
}

TEST(Error, OsErrorSaysWhy) {
  const Error e = Error::os(ENOENT, "/nope");
  EXPECT_EQ(e.kind, ErrorKind::kOs);
  EXPECT_EQ(e.os_errno, ENOENT);
  EXPECT_EQ(e.to_string(), "/nope: No such file or directory");
}

}  // namespace
}  // namespace stack
