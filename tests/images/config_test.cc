#include <gtest/gtest.h>

#include "images/image_config.h"
#include "images/manifest.h"
#include "images/pull.h"
#include "images/registry.h"
#include "images/tree_writer.h"
#include "images/users.h"

namespace stack::images {
namespace {

TEST(ImageConfig, KeepsWhatItDoesNotKnow) {
  const std::string text =
      R"({"architecture":"amd64","os":"linux","os.version":"1","config":{"Env":["A=b"],"Entrypoint":null,"Cmd":["x"],"Odd":{"k":1},)"
      R"("ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["CMD","t"],"Interval":5000000000}},"created":"2024-01-02T03:04:05.5Z",)"
      R"("history":[{"created_by":"x","empty_layer":true}],"rootfs":{"type":"layers","diff_ids":["sha256:aa"]}})";
  const auto config = ImageConfig::parse(text);
  ASSERT_TRUE(config.ok()) << config.error().to_string();
  EXPECT_FALSE(config->entrypoint);
  EXPECT_EQ(config->cmd->at(0), "x");
  EXPECT_EQ(config->healthcheck->interval, std::chrono::seconds(5));
  const std::string out = config->serialize();
  EXPECT_NE(out.find("\"Odd\":{\"k\":1}"), std::string::npos);
  EXPECT_NE(out.find("\"os.version\":\"1\""), std::string::npos);
  EXPECT_EQ(*ImageConfig::parse(out), *config);
  EXPECT_FALSE(ImageConfig::parse("[]").ok());
  EXPECT_FALSE(ImageConfig::parse(R"({"layers":[]})").ok());
  EXPECT_FALSE(ImageConfig::parse(R"({"config":{"Env":3}})").ok());
  EXPECT_EQ(parse_rfc3339("1970-01-01T01:00:00.25+01:00"),
            WallTime(std::chrono::milliseconds(250)));
}

TEST(Manifest, IsOneThingOnly) {
  const std::string digest = "sha256:" + std::string(64, '0');
  const std::string item = R"({"digest":")" + digest + R"(","size":3})";
  EXPECT_TRUE(
      parse_manifest(R"({"schemaVersion":2,"config":)" + item + R"(,"layers":[)" + item + "]}")
          .ok());
  EXPECT_FALSE(
      parse_manifest(R"({"schemaVersion":2,"manifests":[],"layers":[],"config":)" + item + "}")
          .ok());
  EXPECT_FALSE(
      parse_manifest(
          R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]})")
          .ok());
  EXPECT_FALSE(parse_manifest(R"({"schemaVersion":2,"manifests":[]})", kOciManifest).ok());
  EXPECT_FALSE(parse_manifest(
                   R"({"schemaVersion":2,"config":{"digest":"sha256:../x","size":1},"layers":[]})")
                   .ok());
  EXPECT_FALSE(parse_manifest(R"({"schemaVersion":1})").ok());
  ManifestDocument index;
  index.manifests.push_back({.media_type = std::string(kOciManifest),
                             .digest = "a",
                             .os = "linux",
                             .architecture = "arm64",
                             .variant = "v8"});
  index.manifests.push_back({.media_type = std::string(kOciManifest),
                             .digest = "b",
                             .os = "linux",
                             .architecture = "amd64"});
  EXPECT_EQ(choose_platform(index, "linux/arm64")->digest, "a");
  EXPECT_EQ(choose_platform(index, "linux/amd64")->digest, "b");
  for (const char* other_name : {"aarch64", "arm64", "linux/aarch64", "linux/aarch64/v8"})
    EXPECT_EQ(choose_platform(index, other_name)->digest, "a") << other_name;
  for (const char* other_name : {"amd64", "x86_64", "linux/x86-64"})
    EXPECT_EQ(choose_platform(index, other_name)->digest, "b") << other_name;
  EXPECT_EQ(choose_platform(index, "linux/s390x").error().message,
            "no matching manifest for linux/s390x in the manifest list entries");
}

TEST(Registry, ChallengesAndInsecureHosts) {
  const Challenge challenge =
      parse_challenge("Bearer realm=\"https://a/t\",service=\"s, x\" , scope=repository:a:pull");
  EXPECT_EQ(challenge.scheme, "bearer");
  EXPECT_EQ(challenge.parameters.at("realm"), "https://a/t");
  EXPECT_EQ(challenge.parameters.at("service"), "s, x");
  EXPECT_TRUE(is_insecure_registry("localhost:5000", {}));
  EXPECT_TRUE(is_insecure_registry("127.9.9.9:1", {}));
  EXPECT_FALSE(is_insecure_registry("10.0.0.1:5000", {}));
  EXPECT_TRUE(is_insecure_registry("10.0.0.1:5000", {"10.0.0.0/8"}));
  EXPECT_FALSE(is_insecure_registry("localhost.evil.com", {}));
}

TEST(LayerNames, Whiteouts) {
  using Kind = LayerName::Kind;
  EXPECT_EQ(classify_layer_name("./a/.wh.b", true)->kind, Kind::kWhiteout);
  EXPECT_EQ(classify_layer_name("./a/.wh.b", true)->parts, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(classify_layer_name("a/.wh..wh..opq", true)->kind, Kind::kOpaque);
  EXPECT_EQ(classify_layer_name(".wh..wh.plnk/1.2", true)->kind, Kind::kSkip);
  EXPECT_EQ(classify_layer_name("a/.wh.b", false)->kind, Kind::kFile);
  for (const char* bad :
       {".wh.", ".wh..", ".wh...", ".wh..wh..opq", "../x", "a/../../x", ".wh.x/y"})
    EXPECT_FALSE(classify_layer_name(bad, true).ok()) << bad;
  EXPECT_EQ(classify_layer_name("/abs/x", true)->parts, (std::vector<std::string>{"abs", "x"}));
}

TEST(Users, NamesAndNumbers) {
  const std::string passwd = "root:x:0:0::/:\nredis:x:999:998::/:\n";
  const std::string group = "root:x:0:\nstaff:x:50:\n";
  EXPECT_EQ(*resolve_owner("redis", passwd, group), std::pair(uid_t{999}, gid_t{998}));
  EXPECT_EQ(*resolve_owner("redis:staff", passwd, group), std::pair(uid_t{999}, gid_t{50}));
  EXPECT_EQ(*resolve_owner("7", "", ""), std::pair(uid_t{7}, gid_t{7}));
  EXPECT_EQ(*resolve_owner("7:8", "", ""), std::pair(uid_t{7}, gid_t{8}));
  EXPECT_FALSE(resolve_owner("nobody", passwd, group).ok());
  EXPECT_FALSE(resolve_owner("redis:none", passwd, group).ok());
}

}  // namespace
}  // namespace stack::images
