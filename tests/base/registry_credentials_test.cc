#include "base/registry_credentials.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/files.h"

namespace stack {
namespace {

TEST(RegistryCredentials, NamesOfRegistries) {
  EXPECT_EQ(registry_of_image("nginx"), "docker.io");
  EXPECT_EQ(registry_of_image("user/app:1.0"), "docker.io");
  EXPECT_EQ(registry_of_image("localhost/app"), "localhost");
  EXPECT_EQ(registry_of_image("a.example:5000/x/y@sha256:0"), "a.example:5000");
  EXPECT_EQ(registry_of_image("index.docker.io/library/nginx"), "docker.io");
  EXPECT_EQ(credentials_key("docker.io"), kHubServer);
  EXPECT_EQ(credentials_key("https://index.docker.io/v1/"), kHubServer);
  EXPECT_EQ(credentials_key("https://a.example:5000/v2/"), "a.example:5000");
}

TEST(RegistryCredentials, OfTheFile) {
  const auto config = DockerConfig::parse(R"({"auths": {
    "https://index.docker.io/v1/": {"auth": "dXNlcjpwYTpzcw=="},
    "https://a.example/v1/": {"auth": "YTpi"},
    "b.example": {"auth": "YTo=", "identitytoken": "tok"},
    "c.example": {}}})");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ((*config->find("docker.io"))->username, "user");
  EXPECT_EQ((*config->find("docker.io"))->password, "pa:ss");
  EXPECT_EQ((*config->find("a.example"))->password, "b");
  EXPECT_EQ((*config->find("b.example"))->identity_token, "tok");
  EXPECT_FALSE(config->find("c.example")->has_value());
  EXPECT_FALSE(config->find("other.example")->has_value());
  EXPECT_EQ(config->all()->size(), 3U);
  EXPECT_FALSE(DockerConfig::parse("[1]").ok());
}

TEST(RegistryCredentials, AreStoredAndErased) {
  char name[] = "/tmp/credentials-XXXXXX";
  const std::filesystem::path directory = ::mkdtemp(name);
  const auto path = directory / "docker/config.json";
  ASSERT_TRUE(make_directories(path.parent_path()).ok());
  ASSERT_TRUE(write_file(path, R"({"detachKeys": "ctrl-x"})").ok());
  auto config = DockerConfig::load(path);
  ASSERT_TRUE(config.ok());
  ASSERT_TRUE(config->store("a.example", {"ann", "word", "", ""}).ok());
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  auto again = DockerConfig::load(path);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again->find("a.example"))->password, "word");
  EXPECT_NE(read_file(path)->find("ctrl-x"), std::string::npos);
  EXPECT_TRUE(*again->erase("a.example"));
  EXPECT_FALSE(*again->erase("a.example"));
  EXPECT_FALSE(DockerConfig::load(path)->find("a.example")->has_value());
  ASSERT_TRUE(remove_tree(directory).ok());
}

TEST(RegistryCredentials, OfHeaders) {
  const RegistryCredentials given{"ann", "w:\"x", "", ""};
  EXPECT_EQ(parse_registry_auth(registry_auth_json(given, "a.example")), given);
  EXPECT_FALSE(parse_registry_auth("{}").has_value());
  EXPECT_FALSE(parse_registry_auth("no").has_value());
  EXPECT_EQ(parse_registry_auth(R"({"auth":"YTpi"})")->username, "a");
}

}  // namespace
}  // namespace stack
