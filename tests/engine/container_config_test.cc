#include "engine/container_config.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "base/signals.h"

namespace stack::engine {
namespace {

using Words = std::vector<std::string>;

images::ImageConfig redis_image() {
  images::ImageConfig image;
  image.env = {"PATH=/usr/bin", "VERSION=7"};
  image.entrypoint = Words{"docker-entrypoint.sh"};
  image.cmd = Words{"redis-server"};
  image.working_dir = "/data";
  image.exposed_ports = {"6379/tcp"};
  image.volumes = {"/data"};
  image.labels = {{"from", "image"}, {"both", "image"}};
  return image;
}

TEST(MergeImageConfig, TakesWhatTheRequestDoesNotSay) {
  ContainerConfig asked;
  asked.labels = {{"both", "request"}};
  const auto merged = merge_image_config(asked, redis_image());
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(command_line(*merged), (Words{"docker-entrypoint.sh", "redis-server"}));
  EXPECT_EQ(merged->working_dir, "/data");
  EXPECT_EQ(merged->exposed_ports.count("6379/tcp"), 1U);
  EXPECT_EQ(merged->volumes.count("/data"), 1U);
  EXPECT_EQ(merged->labels.at("from"), "image");
  EXPECT_EQ(merged->labels.at("both"), "request");
}

TEST(MergeImageConfig, CommandGoesToTheImagesEntrypoint) {
  ContainerConfig asked;
  asked.cmd = Words{"redis-server", "--replicaof", "master", "6379"};
  EXPECT_EQ(command_line(*merge_image_config(asked, redis_image())),
            (Words{"docker-entrypoint.sh", "redis-server", "--replicaof", "master", "6379"}));
}

TEST(MergeImageConfig, EntrypointDropsTheImagesCommand) {
  ContainerConfig asked;
  asked.entrypoint = Words{"sh"};
  EXPECT_EQ(command_line(*merge_image_config(asked, redis_image())), Words{"sh"});
}

TEST(MergeImageConfig, NothingToRunIsAnError) {
  const auto merged = merge_image_config({}, images::ImageConfig());
  ASSERT_FALSE(merged.ok());
  EXPECT_EQ(merged.error().message, "no command specified");
}

TEST(MergeImageConfig, EnvironmentReplacesInPlaceAndABareKeyRemoves) {
  ContainerConfig asked;
  asked.env = {"VERSION=8", "NEW=1", "PATH"};
  Container container;
  container.config = *merge_image_config(asked, redis_image());
  EXPECT_EQ(container.config.env, (Words{"VERSION=8", "NEW=1", "PATH"}));
  EXPECT_EQ(runtime_options(container)->env, (Words{"VERSION=8", "NEW=1"}));
}

TEST(MergeImageConfig, HealthcheckMembersAreInheritedOneByOne) {
  images::ImageConfig image = redis_image();
  image.healthcheck.emplace();
  image.healthcheck->test = {"CMD", "true"};
  image.healthcheck->retries = 7;
  image.healthcheck->interval = std::chrono::seconds(5);
  ContainerConfig asked;
  asked.healthcheck.emplace();
  asked.healthcheck->interval = std::chrono::seconds(1);
  const auto merged = merge_image_config(asked, image);
  EXPECT_EQ(merged->healthcheck->test, (Words{"CMD", "true"}));
  EXPECT_EQ(merged->healthcheck->retries, 7);
  EXPECT_EQ(merged->healthcheck->interval, std::chrono::seconds(1));
}

TEST(HostsFile, NamesTheContainerAndExtraHosts) {
  ContainerConfig config;
  config.extra_hosts = {"db:10.0.0.5", "gw:host-gateway", "six:[fd00::1]"};
  NetworkIdentity identity;
  identity.hostname = "web";
  identity.domainname = "example.org";
  identity.host_addresses = {"172.18.0.2"};
  const std::string text = hosts_file(config, identity, "172.18.0.1");
  EXPECT_NE(text.find("127.0.0.1\tlocalhost\n"), std::string::npos);
  EXPECT_NE(text.find("10.0.0.5\tdb\n"), std::string::npos);
  EXPECT_NE(text.find("172.18.0.1\tgw\n"), std::string::npos);
  EXPECT_NE(text.find("fd00::1\tsix\n"), std::string::npos);
  EXPECT_NE(text.find("172.18.0.2\tweb.example.org web\n"), std::string::npos);
}

TEST(HostsFile, LosesTheLinesOfAnAddressAlone) {
  const std::string hosts = "127.0.0.1\tlocalhost\n10.0.0.2\tweb\n10.0.0.20\tdb\nfd00::2 web\nend";
  EXPECT_EQ(without_host_lines(hosts, {"10.0.0.2", "fd00::2"}),
            "127.0.0.1\tlocalhost\n10.0.0.20\tdb\nend");
  EXPECT_EQ(without_host_lines(hosts, {}), hosts);
  EXPECT_EQ(without_host_lines("", {"10.0.0.2"}), "");
}

TEST(ResolvConf, PointsToTheOwnResolverAndKeepsTheHostsSearchList) {
  NetworkIdentity identity;
  identity.own_resolver = true;
  EXPECT_EQ(resolv_conf({}, identity, "nameserver 10.1.1.1\nsearch corp.example\n"),
            "nameserver 127.0.0.11\nsearch corp.example\noptions ndots:0\n");
}

TEST(ResolvConf, IsTheHostsWithoutOwnResolver) {
  EXPECT_EQ(resolv_conf({}, {}, "nameserver 10.1.1.1\n"), "nameserver 10.1.1.1\n");
  ContainerConfig config;
  config.dns = {"9.9.9.9"};
  config.dns_search = {"a", "b"};
  EXPECT_EQ(resolv_conf(config, {}, "nameserver 10.1.1.1\n"), "nameserver 9.9.9.9\nsearch a b\n");
}

TEST(ParseSignal, TakesNumbersAndNamesInAnyCase) {
  EXPECT_EQ(parse_signal("").value(), SIGTERM);
  EXPECT_EQ(parse_signal("SIGQUIT").value(), SIGQUIT);
  EXPECT_EQ(parse_signal("usr1").value(), SIGUSR1);
  EXPECT_EQ(parse_signal("9").value(), SIGKILL);
  EXPECT_EQ(parse_signal("SIGFOO").error().message, "invalid signal: SIGFOO");
  EXPECT_FALSE(parse_signal("0").ok());
}

TEST(RuntimeOptions, TranslatesCpusAndSecurityOptions) {
  Container c;
  c.id = std::string(64, 'a');
  c.config.entrypoint = Words{"sleep"};
  c.config.resources.nano_cpus = 1'500'000'000;
  c.config.security_opt = {"no-new-privileges:true", "seccomp=unconfined"};
  const auto options = runtime_options(c);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->resources.cpu_quota, 150000);
  EXPECT_EQ(options->resources.cpu_period, 100000U);
  EXPECT_TRUE(options->no_new_privileges);
  EXPECT_EQ(options->seccomp, "unconfined");
  c.config.security_opt = {"foo=bar"};
  EXPECT_EQ(runtime_options(c).error().message, "invalid --security-opt 2: \"foo=bar\"");
}

}  // namespace
}  // namespace stack::engine
