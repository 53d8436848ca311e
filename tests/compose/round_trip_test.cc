// What the engine is sent loads to what was sent: for every case of tests/conformance that needs no
// options, canonical documents and models stand for each other.
#include <gtest/gtest.h>

#include "support.h"
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/files.h"
#include "compose/loader.h"
#include "compose/render.h"

namespace stack::compose {
namespace {

namespace fs = std::filesystem;

const std::string kCases = std::string(STACK_SOURCE_DIR) + "/tests/conformance/cases";

// The files of a case; nothing when it has a command line of its own, escapes or links.
// tests/conformance/case.py describes the format.
test::Files files_of(const std::string& text) {
  test::Files files;
  std::string* body = nullptr;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    const bool head = line.starts_with("-- ") && line.ends_with(" --");
    if (line.starts_with("$ ") && body == nullptr) return {};
    if (head && line.find(' ', 3) != line.size() - 3) return {};
    if (head) {
      body = &files[line.substr(3, line.size() - 6)];
    } else if (body != nullptr) {
      *body += line + "\n";
    }
  }
  return files;
}

TEST(RoundTrip, CanonicalDocumentsLoadToTheSameProject) {
  int loaded = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kCases)) {
    if (entry.path().extension() != ".case") continue;
    const Result<std::string> text = stack::read_file(entry.path());
    ASSERT_TRUE(text.ok()) << text.error().to_string();
    const test::Files files = files_of(*text);
    if (files.empty()) continue;
    const auto outcome = load(test::options_for(files));
    const auto* result = std::get_if<LoadResult>(&outcome);
    if (result == nullptr) continue;
    ++loaded;
    SCOPED_TRACE(entry.path().string());
    const Result<Project> back = load_canonical(to_json(result->project));
    ASSERT_TRUE(back.ok()) << back.error().to_string();
    EXPECT_EQ(*back, result->project);
    EXPECT_EQ(to_json(*back), to_json(result->project));
  }
  EXPECT_GT(loaded, 200);
}

}  // namespace
}  // namespace stack::compose
