// Addresses and aliases that a network cannot give, in Docker's words.
#include "engine/endpoint_checks.h"

#include <gtest/gtest.h>

namespace stack::engine {
namespace {

Network network(const std::string& subnet, bool by_engine = false) {
  Network n;
  IpamPool pool;
  pool.subnet = subnet;
  pool.by_engine = by_engine;
  n.config.ipam = {pool};
  return n;
}

std::string refused(const EndpointConfig& config, const Network* network) {
  const Status checked = check_endpoint(config, network);
  return checked.ok() ? "" : checked.error().message;
}

EndpointConfig asking(const std::string& ipv4, const std::string& ipv6 = "") {
  EndpointConfig config;
  config.ipv4 = ipv4;
  config.ipv6 = ipv6;
  return config;
}

const std::string kHead = "invalid endpoint settings:\n";
const std::string kOwnSubnet =
    "user specified IP address is supported only when connecting to networks with user configured "
    "subnets";

TEST(EndpointChecks, AnAddressIsInASubnetThatTheUserChose) {
  const Network chosen = network("10.77.0.0/24");
  EXPECT_EQ(refused(asking(""), &chosen), "");
  EXPECT_EQ(refused(asking("10.77.0.9"), &chosen), "");
  EXPECT_EQ(refused(asking("10.78.0.1"), &chosen),
            kHead + "no configured subnet or ip-range contain the IP address 10.78.0.1");
  EXPECT_EQ(refused(asking("", "fd00::1"), &chosen), kHead + kOwnSubnet);
  const Network given = network("10.77.0.0/24", true);
  EXPECT_EQ(refused(asking("10.77.0.9"), &given), kHead + kOwnSubnet);
}

TEST(EndpointChecks, AllThatIsWrongIsSaid) {
  const Network chosen = network("10.77.0.0/24");
  EXPECT_EQ(refused(asking("bad"), &chosen),
            kHead +
                "* invalid IPv4 address: bad\n* no configured subnet or ip-range contain the IP "
                "address bad");
}

TEST(EndpointChecks, ThePredefinedBridgeHasNoAddressesOrNamesToChoose) {
  Network bridge = network("172.17.0.0/16");
  bridge.predefined = true;
  EXPECT_EQ(refused(asking("172.17.0.9"), &bridge),
            kHead + "user specified IP address is supported on user defined networks only");
  EndpointConfig named;
  named.aliases = {"x"};
  EXPECT_EQ(
      refused(named, &bridge),
      kHead + "network-scoped alias is supported only for containers in user defined networks");
}

TEST(EndpointChecks, ANetworkThatIsNotThereYetSaysNothing) {
  EXPECT_EQ(refused(asking("10.1.1.1"), nullptr), "");
  EXPECT_EQ(refused(asking("bad"), nullptr), kHead + "invalid IPv4 address: bad");
}

}  // namespace
}  // namespace stack::engine
