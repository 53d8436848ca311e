#include "engine/service_container.h"

#include <gtest/gtest.h>

namespace stack::engine {
namespace {

using Words = std::vector<std::string>;

struct Fixture {
  compose::Project project;
  compose::Service service;
  ServicePlacement placement;

  Fixture() {
    project.name = "shop";
    project.networks["default"].name = "shop_default";
    project.volumes["data"].name = "shop_data";
    service.name = "web";
    service.image = "nginx";
    service.networks["default"] = std::nullopt;
    placement.container_name = "shop-web-1";
    placement.files_directory = "/run/stack/projects/shop";
    placement.container_of = [](const std::string& name) -> Result<std::string> {
      return "id-of-" + name;
    };
  }
  ContainerConfig config() { return container_of_service(project, service, placement)->config; }
};

TEST(ServiceContainer, AnswersToItsServiceAndContainerName) {
  Fixture f;
  f.service.networks["default"].emplace();
  f.service.networks["default"]->aliases = {"www"};
  const ContainerConfig config = f.config();
  EXPECT_EQ(config.network_mode, "shop_default");
  EXPECT_EQ(config.networks.at("shop_default").aliases, (Words{"shop-web-1", "web", "www"}));
}

TEST(ServiceContainer, LinksAreNamesForItAlone) {
  Fixture f;
  f.service.links = {"redis-master", "db:database"};
  EXPECT_EQ(f.config().networks.at("shop_default").links,
            (Words{"redis-master:redis-master", "db:database"}));
}

TEST(ServiceContainer, SharesTheNamespaceOfAnotherServicesContainer) {
  Fixture f;
  f.service.networks.clear();
  f.service.network_mode = "service:vpn";
  f.service.pid = "service:vpn";
  EXPECT_EQ(f.config().network_mode, "container:id-of-vpn");
  EXPECT_EQ(f.config().pid_mode, "container:id-of-vpn");
  EXPECT_TRUE(f.config().networks.empty());
}

TEST(ServiceContainer, NamedVolumesGetTheEnginesName) {
  Fixture f;
  compose::MountConfig mount;
  mount.type = "volume";
  mount.source = "data";
  mount.target = "/data";
  f.service.volumes = {mount};
  EXPECT_EQ(f.config().mounts.at(0).source, "shop_data");
}

TEST(ServiceContainer, DeployRestartPolicyReplacesRestart) {
  Fixture f;
  f.service.restart = "always";
  EXPECT_EQ(f.config().restart_policy, "always");
  f.service.deploy.emplace();
  f.service.deploy->restart_policy.emplace();
  f.service.deploy->restart_policy->condition = "on-failure";
  f.service.deploy->restart_policy->max_attempts = 3;
  EXPECT_EQ(f.config().restart_policy, "on-failure");
  EXPECT_EQ(f.config().restart_max_retries, 3);
}

TEST(ServiceContainer, OneOffPublishesNothingAndHasNoServiceName) {
  Fixture f;
  compose::PortConfig port;
  port.target = 80;
  port.published = "8080";
  f.service.ports = {port};
  f.service.restart = "always";
  f.placement.one_off = true;
  f.placement.use_aliases = false;
  const ContainerConfig config = f.config();
  EXPECT_TRUE(config.ports.empty());
  EXPECT_TRUE(config.restart_policy.empty());
  EXPECT_EQ(config.networks.at("shop_default").aliases, Words{"shop-web-1"});
}

TEST(ServiceContainer, SecretsOfTheEnvironmentBecomeFilesThatAreBoundReadOnly) {
  Fixture f;
  f.project.environment["TOKEN"] = "s3cret";
  f.project.secrets["token"].environment = "TOKEN";
  compose::FileReference reference;
  reference.source = "token";
  reference.uid = "33";
  reference.mode = 0400;
  f.service.secrets = {reference};
  const auto made = container_of_service(f.project, f.service, f.placement);
  ASSERT_TRUE(made.ok());
  ASSERT_EQ(made->files.size(), 1U);
  EXPECT_EQ(made->files[0].text, "s3cret");
  EXPECT_EQ(made->files[0].uid, 33U);
  EXPECT_EQ(made->files[0].mode, 0400U);
  EXPECT_EQ(made->config.mounts.at(0).target, "/run/secrets/token");
  EXPECT_TRUE(made->config.mounts.at(0).read_only);
  EXPECT_EQ(made->config.mounts.at(0).source, made->files[0].path.string());
}

TEST(ServiceContainer, MissingSecretVariableSaysWhich) {
  Fixture f;
  f.project.secrets["token"].environment = "TOKEN";
  f.project.secrets["token"].name = "shop_token";
  compose::FileReference reference;
  reference.source = "token";
  f.service.secrets = {reference};
  const auto made = container_of_service(f.project, f.service, f.placement);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().message,
            "environment variable \"TOKEN\" required by secret \"shop_token\" is not set");
}

TEST(ImageOfService, IsTheBuiltNameWithoutImage) {
  Fixture f;
  EXPECT_EQ(image_of_service(f.project, f.service), "nginx");
  f.service.image.clear();
  EXPECT_EQ(image_of_service(f.project, f.service), "shop-web");
}

}  // namespace
}  // namespace stack::engine
