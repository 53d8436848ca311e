#include "images/reference.h"

#include <gtest/gtest.h>

namespace stack::images {
namespace {

struct Case {
  const char* text;
  const char* full;
  const char* familiar;
};

TEST(Reference, NormalisesAsDockerDoes) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  for (const Case& c :
       {Case{"nginx", "docker.io/library/nginx:latest", "nginx:latest"},
        Case{"nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"},
        Case{"library/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
        Case{"index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
        Case{"user/app", "docker.io/user/app:latest", "user/app:latest"},
        Case{"localhost/app", "localhost/app:latest", "localhost/app:latest"},
        Case{"localhost:5000/a/b:t", "localhost:5000/a/b:t", "localhost:5000/a/b:t"},
        Case{"127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000/x:latest"},
        Case{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
        Case{"ghcr.io/a__b/c---d.e", "ghcr.io/a__b/c---d.e:latest",
             "ghcr.io/a__b/c---d.e:latest"}}) {
    const auto parsed = Reference::parse(c.text);
    ASSERT_TRUE(parsed.ok()) << c.text << ": " << parsed.error().to_string();
    EXPECT_EQ(parsed->to_string(), c.full);
    EXPECT_EQ(parsed->familiar(), c.familiar);
  }
  const auto pinned = Reference::parse("nginx:1@" + digest);
  ASSERT_TRUE(pinned.ok());
  EXPECT_EQ(pinned->tag, "1");
  EXPECT_EQ(pinned->digest, digest);
  EXPECT_EQ(Reference::parse("nginx@" + digest)->tag, "");
}

TEST(Reference, RefusesWhatDockerRefuses) {
  for (const std::string& text :
       {std::string(""), std::string("a//b"), std::string("registry/../x"), std::string("x:"),
        std::string("x:-a"), "x:" + std::string(129, 'a'), std::string("x@sha256:abc"),
        std::string("-x"), std::string("a_-b"), std::string("x y"), std::string("h\xc3\xa9"),
        std::string("foo.com:port/x"), std::string("a/.b")}) {
    const auto parsed = Reference::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().message, "invalid reference format") << text;
  }
  EXPECT_EQ(Reference::parse("Nginx").error().message,
            "invalid reference format: repository name (library/Nginx) must be lowercase");
  EXPECT_EQ(Reference::parse(std::string(64, 'a')).error().message,
            "invalid repository name (" + std::string(64, 'a') +
                "), cannot specify 64-byte hexadecimal strings");
  EXPECT_EQ(Reference::parse("x/" + std::string(260, 'a')).error().message,
            "repository name must not be longer than 255 characters");
}

}  // namespace
}  // namespace stack::images
