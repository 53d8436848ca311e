// Which addresses the endpoints of a network get.
#include "engine/network_addresses.h"

#include <gtest/gtest.h>

namespace stack::engine {
namespace {

Network network(std::vector<IpamPool> pools) {
  Network n;
  n.id = "n";
  n.config.name = "net";
  n.config.ipam = std::move(pools);
  return n;
}

IpamPool pool(const std::string& subnet, const std::string& gateway) {
  IpamPool p;
  p.subnet = subnet;
  p.gateway = gateway;
  return p;
}

Endpoint endpoint(const std::string& fixed = "") {
  Endpoint e;
  e.network_id = "n";
  e.config.ipv4 = fixed;
  return e;
}

TEST(NetworkAddresses, AreTheNextFreeOnesOfEachFamily) {
  const Network both = network({pool("10.0.0.0/29", "10.0.0.1"), pool("fd00::/64", "fd00::1")});
  NetworkAddresses addresses;
  Endpoint one = endpoint(), two = endpoint();
  ASSERT_TRUE(addresses.assign(both, &one).ok());
  ASSERT_TRUE(addresses.assign(both, &two).ok());
  EXPECT_EQ(one.ipv4, "10.0.0.2");
  EXPECT_EQ(one.prefix4, 29);
  EXPECT_EQ(one.gateway4, "10.0.0.1");
  EXPECT_EQ(one.ipv6, "fd00::2");
  EXPECT_EQ(one.prefix6, 64);
  EXPECT_EQ(two.ipv4, "10.0.0.3");
  EXPECT_EQ(addresses.in_use("n"), 4U);
}

TEST(NetworkAddresses, AreNotGivenAgainAtOnce) {
  const Network small = network({pool("10.0.0.0/29", "10.0.0.1")});
  NetworkAddresses addresses;
  Endpoint one = endpoint(), two = endpoint();
  ASSERT_TRUE(addresses.assign(small, &one).ok());
  addresses.release(one);
  EXPECT_EQ(addresses.in_use("n"), 0U);
  ASSERT_TRUE(addresses.assign(small, &two).ok());
  EXPECT_EQ(two.ipv4, "10.0.0.3");
}

TEST(NetworkAddresses, EndWithTheSubnet) {
  const Network small = network({pool("10.0.0.0/30", "10.0.0.1")});
  NetworkAddresses addresses;
  Endpoint one = endpoint(), two = endpoint();
  ASSERT_TRUE(addresses.assign(small, &one).ok());
  const Status none = addresses.assign(small, &two);
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().message.find("net (n)"), std::string::npos) << none.error().message;
}

TEST(NetworkAddresses, FixedOnesAreFreeAndInTheSubnet) {
  Network net = network({pool("10.0.0.0/24", "10.0.0.1")});
  net.config.ipam[0].aux_addresses["router"] = "10.0.0.9";
  NetworkAddresses addresses;
  Endpoint held = endpoint();
  held.ipv4 = "10.0.0.7";
  addresses.retain(held);
  for (const char* refused : {"10.0.0.7", "10.0.0.9", "10.0.0.1", "10.0.1.2"}) {
    Endpoint e = endpoint(refused);
    EXPECT_FALSE(addresses.assign(net, &e).ok()) << refused;
    EXPECT_EQ(e.ipv4, "");
  }
  Endpoint free = endpoint("10.0.0.8");
  EXPECT_TRUE(addresses.assign(net, &free).ok());
  EXPECT_EQ(addresses.in_use("n"), 2U);
}

TEST(NetworkAddresses, TakeNothingAfterAnError) {
  const Network net = network({pool("10.0.0.0/24", "10.0.0.1"), pool("fd00::/64", "fd00::1")});
  NetworkAddresses addresses;
  Endpoint e = endpoint();
  e.config.ipv6 = "fd00::1";
  EXPECT_FALSE(addresses.assign(net, &e).ok());
  EXPECT_EQ(addresses.in_use("n"), 0U);
  Endpoint only4 = endpoint();
  only4.config.ipv6 = "fd00::5";
  EXPECT_FALSE(addresses.assign(network({pool("10.0.0.0/24", "10.0.0.1")}), &only4).ok());
  EXPECT_EQ(addresses.in_use("n"), 0U);
}

TEST(NetworkAddresses, OfAnInternalNetworkHaveNoGateway) {
  Network net = network({pool("10.0.0.0/24", "10.0.0.1")});
  net.config.internal = true;
  NetworkAddresses addresses;
  Endpoint e = endpoint();
  ASSERT_TRUE(addresses.assign(net, &e).ok());
  EXPECT_EQ(e.gateway4, "");
}

}  // namespace
}  // namespace stack::engine
