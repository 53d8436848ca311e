#include "engine/daemon_settings.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "base/files.h"
#include "engine/model.h"

namespace stack::engine {
namespace {

std::string refusal(const std::string& text) {
  const auto parsed = parse_settings(text, "daemon.json");
  return parsed.ok() ? "accepted" : parsed.error().to_string();
}

TEST(DaemonSettings, DockersKeys) {
  const auto parsed = parse_settings(R"({
    "registry-mirrors": ["https://m.example"], "insecure-registries": ["http://10.0.0.0/8"],
    "max-concurrent-downloads": 7, "dns": ["1.1.1.1"], "log-opts": {"max-size": "10m"},
    "proxies": {"http-proxy": "p:1", "no-proxy": "x"}, "live-restore": true})",
                                     "daemon.json");
  ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
  EXPECT_EQ(parsed->registry_mirrors.at(0), "https://m.example");
  EXPECT_EQ(parsed->insecure_registries.at(0), "10.0.0.0/8");
  EXPECT_EQ(parsed->max_concurrent_downloads, 7);
  EXPECT_EQ(parsed->proxies->no_proxy, "x");
  EXPECT_EQ(parsed->ignored, std::vector<std::string>{"live-restore"});
  EXPECT_EQ(*parse_settings(" \n", "x"), Settings{});

  ContainerConfig config;
  apply_settings(*parsed, config);
  EXPECT_EQ(config.dns.at(0), "1.1.1.1");
  EXPECT_EQ(config.log.options.at("max-size"), "10m");
  ContainerConfig own;
  own.dns = {"9.9.9.9"};
  own.log.driver = "none";
  apply_settings(*parsed, own);
  EXPECT_EQ(own.dns.at(0), "9.9.9.9");
  EXPECT_TRUE(own.log.options.empty());
}

TEST(DaemonSettings, RefusalsNameTheLine) {
  EXPECT_EQ(refusal("{\n \"dns\": [],\n  \"x\": 1}"),
            "daemon.json:3:3: the following directives don't match any configuration option: x");
  EXPECT_EQ(refusal("{\n\"dns\": [\"a\"]}"), "daemon.json:2:1: a is not an ip address");
  EXPECT_EQ(refusal("{\"registry-mirrors\": \"x\"}"),
            "daemon.json:1:2: \"registry-mirrors\" must be a list of strings");
  EXPECT_NE(refusal("{\"registry-mirrors\": [\"ftp://x\"]}").find("unsupported scheme"),
            std::string::npos);
  EXPECT_EQ(refusal("{\n\n  oops}").substr(0, 32), "daemon.json:3:3: not valid JSON:");
  EXPECT_EQ(refusal("[]"), "daemon.json:1:1: the file must hold one JSON object");
}

TEST(DaemonSettings, ABadFileLeavesTheSettings) {
  char name[] = "/tmp/settings-XXXXXX";
  const std::filesystem::path directory = ::mkdtemp(name);
  const auto path = directory / "daemon.json";
  const auto accepted = directory / "accepted";
  ASSERT_TRUE(write_file(path, R"({"insecure-registries": ["a"]})").ok());
  auto file = SettingsFile::open(path, accepted);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->current().insecure_registries.at(0), "a");
  ASSERT_TRUE(write_file(path, "{").ok());
  EXPECT_EQ(file->current().insecure_registries.at(0), "a");
  ASSERT_TRUE(file->refused().has_value());
  // The next engine finds the copy of the last good one; without it the file is an error.
  EXPECT_EQ(SettingsFile::open(path, accepted)->current().insecure_registries.at(0), "a");
  EXPECT_FALSE(SettingsFile::open(path, directory / "none").ok());
  ASSERT_TRUE(write_file(path, R"({"insecure-registries": ["b", "c"]})").ok());
  EXPECT_EQ(file->current().insecure_registries.size(), 2U);
  EXPECT_FALSE(file->refused().has_value());
  std::filesystem::remove(path);
  EXPECT_TRUE(file->current().insecure_registries.empty());
  ASSERT_TRUE(remove_tree(directory).ok());
}

}  // namespace
}  // namespace stack::engine
