// Files that attack, are broken or are no files: a clear error within a second and bounded memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "tests/compose/support.h"

namespace stack::compose::test {
namespace {

using testing::HasSubstr;

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

// CPU seconds of this process: other load on the machine does not count.
double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long peak_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

constexpr double kSanitizedSlowdown =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    10;
#else
    1;
#endif

class Robust : public testing::Test {
 protected:
  // The errors, all of which must be there within a second.
  static std::string refused(const LoadOptions& options) {
    const double begin = cpu_seconds();
    const std::string text = errors_of(options);
    EXPECT_LT(cpu_seconds() - begin, kSanitizedSlowdown);
    EXPECT_LT(peak_kilobytes(), static_cast<long>(700 * 1024 * kSanitizedSlowdown));
    EXPECT_LT(text.size(), 100'000U);
    return text;
  }
  static std::string refused(const std::string& text) {
    return refused(options_for({{"compose.yaml", text}}));
  }
};

TEST_F(Robust, AnAliasBomb) {
  std::string bomb = "x-a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'k'; ++c) {
    bomb += std::string("x-") + c + ": &" + c + " [" +
            repeated(std::string("*") + static_cast<char>(c - 1) + ",", 10) + "]\n";
  }
  EXPECT_THAT(refused(bomb), HasSubstr("aliases expand to more than"));
}

TEST_F(Robust, AnchorsInsideAnchors) {
  EXPECT_THAT(refused("x-a: " + repeated("&a [", 400) + repeated("x,", 100'000) +
                      repeated("]", 400) + "\n"),
              HasSubstr("anchors hold more than"));
}

TEST_F(Robust, AliasesThatNestDeeper) {
  std::string text = "x-0: &a0 [x]\n";
  for (int i = 1; i < 20; ++i) {
    text += "x-" + std::to_string(i) + ": &a" + std::to_string(i) + " " + repeated("[", 100) +
            "*a" + std::to_string(i - 1) + repeated("]", 100) + "\n";
  }
  EXPECT_THAT(refused(text), HasSubstr("aliases nest deeper than"));
}

TEST_F(Robust, DeepNesting) {
  for (const char* open : {"[", "{a: ", "- ", "? ", "a:\n "}) {
    EXPECT_NE(refused("x-a: " + repeated(open, 100'000)), "") << open;
  }
  EXPECT_THAT(refused("x-a: " + repeated("[", 100'000)), HasSubstr("exceeded max depth of"));
}

TEST_F(Robust, DeepSubstitutions) {
  EXPECT_THAT(refused("services: {a: {image: '" + repeated("${A:-", 50'000) +
                      repeated("}", 50'000) + "'}}"),
              HasSubstr("invalid interpolation format"));
  EXPECT_NE(refused("services: {a: {image: '" + repeated("${A:-", 100'000) + "'}}"), "");
}

TEST_F(Robust, VariablesThatDouble) {
  std::string env = "A0=0123456789\n";
  for (int i = 1; i < 60; ++i) {
    env += "A" + std::to_string(i) + "=$A" + std::to_string(i - 1) + "$A" + std::to_string(i - 1) +
           "\n";
  }
  EXPECT_THAT(refused(options_for({{"compose.yaml", "services: {}"}, {".env", env}})),
              HasSubstr("the value is longer than 1 MiB"));
  auto options = options_for({{"compose.yaml", "x-a: [" + repeated("'$A$A$A$A',", 1000) + "]\n"}});
  options.environment["A"] = std::string(100'000, 'x');
  EXPECT_THAT(refused(options), HasSubstr("expand to more than 64 MiB"));
}

TEST_F(Robust, PortRangesThatFillTheMemory) {
  std::string ports;
  for (int i = 1; i < 200; ++i) ports += "'127.0.0." + std::to_string(i) + ":1-65535:1-65535/tcp',";
  EXPECT_THAT(refused("services: {a: {image: x, ports: [" + ports + "]}}"),
              HasSubstr("more than 150000 ports"));
}

TEST_F(Robust, HugeIntegers) {
  const std::string digits(100'000, '9');
  for (const char* key : {"scale", "mem_limit", "cpus", "cpu_shares", "pids_limit", "stdin_open"}) {
    (void)refused("services: {a: {image: x, " + std::string(key) + ": " + digits + "}}");
    (void)refused("services: {a: {image: x, " + std::string(key) + ": '" + digits + "'}}");
    (void)refused("services: {a: {image: x, " + std::string(key) + ": -" + digits + "}}");
  }
  EXPECT_NE(refused("services: {a: {image: x, scale: 99999999999999999999}}"), "");
  EXPECT_NE(refused("services: {a: {image: x, ports: ['99999999999999999999:80']}}"), "");
  EXPECT_NE(refused("services: {a: {image: x, stop_grace_period: '" + digits + "h'}}"), "");
}

TEST_F(Robust, TenMegabytes) {
  EXPECT_THAT(refused("services: {}\nx-a: '" + std::string(10U << 20U, 'x') + "'\n"),
              HasSubstr("larger than the limit of 8 MiB"));
  // The lines of an environment file have no such limit.
  const auto env = options_for({{"compose.yaml", "services: {a: {image: x, env_file: a.env}}\n"},
                                {"a.env", repeated("A=0123456789\n", 100'000) + "A B\n"}});
  EXPECT_THAT(refused(env), HasSubstr("line 100001"));
}

TEST_F(Robust, ManyErrorsAndManyWarnings) {
  std::string text = "services:\n";
  for (int i = 0; i < 20'000; ++i) text += "  s" + std::to_string(i) + ": {imge: 'x$A'}\n";
  EXPECT_THAT(refused(text), HasSubstr("more errors"));
}

TEST_F(Robust, WhatIsNotText) {
  EXPECT_THAT(refused("services: {a: {image: \"x\xff\"}}\n"),
              HasSubstr("compose.yaml:1:25: yaml: invalid leading UTF-8 octet"));
  EXPECT_THAT(refused(std::string("services: {a: {image: \"x\0y\"}}\n", 31)),
              HasSubstr("control characters are not allowed"));
  EXPECT_NE(refused(std::string(100'000, '\x01')), "");
}

TEST_F(Robust, ByteOrderMarksAndLineEnds) {
  for (const char* text :
       {"\xEF\xBB\xBFservices:\n  a:\n    image: x\n", "services:\r\n  a:\r\n    image: x\r\n",
        "services:\r  a:\r    image: x"}) {
    const LoadResult r = loaded(text);
    EXPECT_EQ(r.project.services.count("a"), 1U) << r.project.name;
  }
  EXPECT_THAT(refused("\xEF\xBB\xBFservces: {}\n"), HasSubstr("compose.yaml:1:1:"));
  EXPECT_THAT(refused("services:\r\n  a:\r\n    imge: x\r\n"), HasSubstr("imge: x\n"));
}

TEST_F(Robust, LongChainsOfServices) {
  std::string dependent = "services:\n";
  std::string extended = "services:\n";
  for (int i = 0; i < 20'000; ++i) {
    const std::string name = std::to_string(i);
    const std::string next = std::to_string(i + 1);
    dependent += "  s" + name + ": {image: x, depends_on: [s" + next + "]}\n";
    extended += "  s" + name + ": {extends: s" + next + "}\n";
  }
  EXPECT_THAT(refused(dependent + "  s20000: {image: x, depends_on: [s0]}\n"),
              HasSubstr("dependency cycle detected"));
  EXPECT_THAT(refused(extended + "  s20000: {image: x}\n"), HasSubstr("too many services"));
}

TEST_F(Robust, IncludesWithoutEnd) {
  Files files{{"compose.yaml", "include: [f1.yaml]\n"}};
  for (int i = 1; i < 1000; ++i) {
    files["f" + std::to_string(i) + ".yaml"] = "include: [f" + std::to_string(i + 1) + ".yaml]\n";
  }
  EXPECT_THAT(refused(options_for(files)), HasSubstr("include goes through more than"));
}

// ---- files of the real file system

class RobustFiles : public Robust {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("compose-robust-" + random_hex(8));
    ASSERT_TRUE(make_directories(directory_).ok());
  }
  void TearDown() override { (void)remove_tree(directory_); }

  std::string refused_file(const std::string& text) {
    EXPECT_TRUE(write_file(directory_ / "compose.yaml", text).ok());
    return refused_named("compose.yaml");
  }
  std::string refused_named(const std::string& file) {
    LoadOptions options = default_load_options();
    options.working_directory = directory_;
    options.files = {file};
    return refused(options);
  }

  std::filesystem::path directory_;
};

TEST_F(RobustFiles, DirectoriesInsteadOfFiles) {
  ASSERT_TRUE(make_directories(directory_ / "d").ok());
  EXPECT_THAT(refused_named("d"),
              HasSubstr("read " + (directory_ / "d").string() + ": is a directory"));
  EXPECT_THAT(refused_file("include: [d]\n"), HasSubstr("is a directory"));
  EXPECT_THAT(refused_file("services: {a: {extends: {file: d, service: x}}}\n"),
              HasSubstr("is a directory"));
  EXPECT_THAT(refused_file("services: {a: {image: x, env_file: d}}\n"),
              HasSubstr("compose.yaml:1:36: failed to read"));
  EXPECT_THAT(refused_file("services: {a: {image: x, label_file: d}}\n"),
              HasSubstr("is a directory"));
}

TEST_F(RobustFiles, LoopsOfSymbolicLinks) {
  std::filesystem::create_symlink("loop", directory_ / "loop");
  const std::string why = "too many levels of symbolic links";
  EXPECT_THAT(refused_named("loop"), HasSubstr(why));
  EXPECT_THAT(refused_file("include: [loop]\n"), HasSubstr(why));
  EXPECT_THAT(refused_file("services: {a: {extends: {file: loop, service: x}}}\n"), HasSubstr(why));
  EXPECT_THAT(refused_file("services: {a: {image: x, env_file: loop}}\n"), HasSubstr(why));
}

TEST_F(RobustFiles, AbsentAndEndlessFiles) {
  EXPECT_THAT(refused_named("nope"), HasSubstr("no such file or directory"));
  EXPECT_THAT(refused_named("/dev/zero"), HasSubstr("larger than the limit"));
  EXPECT_THAT(refused_named("/dev/null"), HasSubstr("empty compose file"));
}

TEST_F(RobustFiles, UnreadableFiles) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  ASSERT_TRUE(write_file(directory_ / "secret", "services: {}\n", 0).ok());
  EXPECT_THAT(refused_named("secret"), HasSubstr("permission denied"));
}

}  // namespace
}  // namespace stack::compose::test
