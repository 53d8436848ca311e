// The way in and out of a container with several networks.
#include "engine/container_endpoints.h"

#include <gtest/gtest.h>

namespace stack::engine {
namespace {

Endpoint endpoint(const std::string& network, const std::string& ipv4, const std::string& gateway4,
                  int priority = 0) {
  Endpoint e;
  e.id = e.network_id = e.network_name = network;
  e.config.gateway_priority = priority;
  e.ipv4 = ipv4;
  e.prefix4 = 24;
  e.gateway4 = gateway4;
  return e;
}

Container container(std::vector<Endpoint> endpoints) {
  Container c;
  c.endpoints = std::move(endpoints);
  c.ports = {{80, 8080, "tcp", "0.0.0.0"}, {80, 8080, "tcp", "::"}, {53, 53, "udp", "127.0.0.1"}};
  return c;
}

TEST(Gateway, IsTheHighestPriorityThenTheFirstName) {
  EXPECT_EQ(gateway_endpoint(container({}), false), nullptr);
  const Container plain =
      container({endpoint("inside", "10.0.0.2", ""), endpoint("b", "10.0.1.2", "10.0.1.1"),
                 endpoint("a", "10.0.2.2", "10.0.2.1")});
  EXPECT_EQ(gateway_endpoint(plain, false)->network_name, "a");  // connected last, all the same
  EXPECT_EQ(gateway_endpoint(plain, true), nullptr);
  const Container asked =
      container({endpoint("a", "10.0.2.2", "10.0.2.1"), endpoint("b", "10.0.1.2", "10.0.1.1", 10)});
  EXPECT_EQ(gateway_endpoint(asked, false)->network_name, "b");
  const Container internal = container({endpoint("inside", "10.0.0.2", "", 100)});
  EXPECT_EQ(gateway_endpoint(internal, false), nullptr);
}

TEST(Gateway, IsOneForRoutesAndForPublishedPorts) {
  const Container c =
      container({endpoint("a", "10.0.2.2", "10.0.2.1"), endpoint("b", "10.0.1.2", "10.0.1.1", 10)});
  const auto specs = endpoint_specs(c, std::vector<netd::NetworkSpec>(2));
  EXPECT_FALSE(specs.at(0).default_route4);
  EXPECT_TRUE(specs.at(1).default_route4);
  const auto ports = published_ports(c);
  ASSERT_EQ(ports.size(), 2u);
  EXPECT_EQ(ports[0].host_ip, "");  // both families of the host in one
  EXPECT_EQ(ports[0].container_ipv4, "10.0.1.2");
  EXPECT_EQ(ports[1].host_ip, "127.0.0.1");
  EXPECT_EQ(ports[1].container_ipv4, "10.0.1.2");
}

TEST(Gateway, IsEachFamilysOwn) {
  Endpoint six = endpoint("six", "", "");
  six.ipv6 = "fd00::2";
  six.gateway6 = "fd00::1";
  const auto alone = published_ports(container({six}));
  ASSERT_EQ(alone.size(), 2u);
  EXPECT_EQ(alone[0].container_ipv4, "");
  EXPECT_EQ(alone[0].container_ipv6, "fd00::2");
  const auto both = published_ports(container({six, endpoint("four", "10.0.1.2", "10.0.1.1")}));
  EXPECT_EQ(both.at(0).container_ipv4, "10.0.1.2");
  EXPECT_EQ(both.at(0).container_ipv6, "fd00::2");
}

TEST(Gateway, WithoutOneNothingIsPublished) {
  EXPECT_TRUE(published_ports(container({endpoint("inside", "10.0.0.2", "")})).empty());
  EXPECT_TRUE(published_ports(container({})).empty());
}

}  // namespace
}  // namespace stack::engine
