// Bridges, addresses, isolation and published ports in the kernel, without stack-netd.
#include <gmock/gmock.h>

#include <chrono>

#include "base/files.h"
#include "netd/firewall.h"
#include "netd/ports.h"
#include "netd/route.h"
#include "tests/netd/sandbox.h"

namespace stack::netd::test {
namespace {

PublishedPort port(const std::string& host_ip, int host, int inner, const std::string& ip,
                   const std::string& protocol = "tcp") {
  PublishedPort p;
  p.host_ip = host_ip;
  p.host_port = host;
  p.container_port = inner;
  p.protocol = protocol;
  p.container_ipv4 = ip;
  return p;
}

TEST_F(NetworkTest, ContainersOfANetworkTalkAndReachOutside) {
  const NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  ASSERT_OK(ensure_network(n));
  ASSERT_OK(ensure_network(n));
  const Fd a = container({endpoint(n, "172.30.0.2")});
  const Fd b = container({endpoint(n, "172.30.0.3")});
  const Fd server_b = bound(b.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "172.30.0.3", 80, server_b), "172.30.0.2");
  const Fd server_out = bound(outside.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "10.99.0.2", 80, server_out), "10.99.0.1");  // masqueraded
  EXPECT_EQ(reach_tcp(kHost, "172.30.0.3", 80, server_b), "172.30.0.1");
  const Fd server_host = bound(kHost, "0.0.0.0", 81, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "172.30.0.1", 81, server_host), "172.30.0.2");
}

TEST_F(NetworkTest, NetworksAreIsolatedFromEachOtherAndFromOutside) {
  const NetworkSpec n1 = network("a1", "172.30.0.0/24", "172.30.0.1");
  const NetworkSpec n2 = network("b2", "172.30.1.0/24", "172.30.1.1");
  ASSERT_OK(ensure_network(n1));
  ASSERT_OK(ensure_network(n2));
  const Fd a = container({endpoint(n1, "172.30.0.2")});
  const Fd b = container({endpoint(n2, "172.30.1.2")});
  const Fd server_b = bound(b.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(kHost, "172.30.1.2", 80, server_b), "172.30.1.1");
  EXPECT_EQ(reach_tcp(a.get(), "172.30.1.2", 80, server_b, 300), "");
  EXPECT_EQ(reach_tcp(outside.get(), "172.30.1.2", 80, server_b, 300),
            "");  // its default route is the host
  const Fd server_host = bound(kHost, "0.0.0.0", 81, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "172.30.0.1", 81, server_host), "172.30.0.2");
  EXPECT_EQ(reach_tcp(a.get(), "172.30.1.1", 81, server_host, 300), "");
  // Spoofed loopback addresses on the bridge: a packet to 127.0.0.1 by way of the gateway
  // (CVE-2020-8558).
  const Fd server_lo = bound(kHost, "127.0.0.1", 82, SOCK_STREAM);
  const Status routed = run_in_namespace(a.get(), []() -> Status {
    run("sysctl -q -w net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo;"
        "ip route add 127.0.0.1/32 via 172.30.0.1 src 172.30.0.2");
    return ok_status();
  });
  ASSERT_OK(routed);
  EXPECT_EQ(reach_tcp(a.get(), "127.0.0.1", 82, server_lo, 300), "");
}

TEST_F(NetworkTest, ABridgeOfTheUserStaysAndKeepsItsSettings) {
  run("ip link add br0 type bridge; ip link set br0 mtu 1400; ip addr add 10.88.0.1/24 dev br0; ip "
      "link set br0 up;"
      "sysctl -q -w net.ipv6.conf.br0.accept_ra=2");
  // Forwarding is on already for another network: br0 is one of the interfaces of before.
  const NetworkSpec other = network("b2", "172.30.1.0/24", "172.30.1.1");
  ASSERT_OK(ensure_network(other));
  ASSERT_TRUE(find_bridge("br0").value());
  NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  n.bridge = "br0";
  n.bridge_by_user = true;
  ASSERT_OK(ensure_network(n));
  ASSERT_OK(ensure_network(n));
  const Fd a = container({endpoint(n, "172.30.0.2")});
  const Fd server_out = bound(outside.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "10.99.0.2", 80, server_out), "10.99.0.1");
  ASSERT_OK(remove_network(n));
  EXPECT_EQ(std::system("ip link show br0 | grep -q 'mtu 1400'"), 0);
  EXPECT_EQ(std::system("ip addr show br0 | grep -q 10.88.0.1/24"), 0);
  EXPECT_EQ(read_sysctl("ipv6/conf/br0/accept_ra").value(), "2");
  EXPECT_EQ(read_sysctl("ipv6/conf/br0/disable_ipv6").value(), "0");
  EXPECT_NE(std::system("ip -o link show master br0 | grep -q ."), 0);
  EXPECT_EQ(list_elements(host_table(), "bridges").value().size(), 1u);  // the other network's
}

TEST_F(NetworkTest, WhatIsNoBridgeIsNotTaken) {
  EXPECT_FALSE(find_bridge("br0").value());
  EXPECT_EQ(find_bridge("eth0").error().message, "existing interface eth0 is not a bridge");
  EXPECT_EQ(find_bridge("eth0").error().kind, ErrorKind::kConflict);
  for (const char* name : {"", ".", "..", "a/b", "a b", "a:b", "sixteen-letters-"})
    EXPECT_EQ(find_bridge(name).error().kind, ErrorKind::kInvalid) << name;
  NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  n.bridge = "eth0";
  EXPECT_FALSE(ensure_network(n).ok());
  ASSERT_OK(remove_network(n));
  EXPECT_EQ(std::system("ip addr show eth0 | grep -q 10.99.0.1/24"), 0);
  EXPECT_NE(std::system("nft list tables | grep -q stack"), 0);
}

TEST_F(NetworkTest, APortThatSomebodyHasIsInUse) {
  const Fd tcp = bound(kHost, "127.0.0.1", 9000, SOCK_STREAM);
  const Fd udp = bound(kHost, "::", 9001, SOCK_DGRAM);
  EXPECT_TRUE(port_in_use("", 9000, "tcp"));
  EXPECT_TRUE(port_in_use("0.0.0.0", 9000, "tcp"));
  EXPECT_TRUE(port_in_use("127.0.0.1", 9000, "tcp"));
  EXPECT_FALSE(port_in_use("10.99.0.1", 9000, "tcp"));
  EXPECT_FALSE(port_in_use("", 9000, "udp"));
  EXPECT_TRUE(port_in_use("", 9001, "udp"));
  EXPECT_FALSE(port_in_use("", 9002, "tcp"));
  EXPECT_FALSE(port_in_use("192.0.2.77", 9002, "tcp"));  // not ours: binding it will say so
}

TEST_F(NetworkTest, InternalNetworkReachesNothingButItself) {
  NetworkSpec n = network("c3", "172.30.2.0/24", "172.30.2.1");
  n.internal = true;
  ASSERT_OK(ensure_network(n));
  const Fd a = container({endpoint(n, "172.30.2.2")});
  const Fd b = container({endpoint(n, "172.30.2.3")});
  const Fd server_b = bound(b.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "172.30.2.3", 80, server_b), "172.30.2.2");
  EXPECT_EQ(reach_tcp(kHost, "172.30.2.3", 80, server_b),
            "172.30.2.1");  // the host may look in, as with Docker
  const Fd server_out = bound(outside.get(), "0.0.0.0", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "10.99.0.2", 80, server_out, 200), "");
  const Status routed = run_in_namespace(a.get(), []() -> Status {
    run("ip route add default via 172.30.2.1");
    return ok_status();
  });
  ASSERT_OK(routed);
  EXPECT_EQ(reach_tcp(a.get(), "10.99.0.2", 80, server_out, 300), "");
  const Fd server_host = bound(kHost, "0.0.0.0", 81, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "172.30.2.1", 81, server_host, 300), "");
  // Publishing is without effect from outside.
  ASSERT_OK(publish("c", {port("", 8080, 80, "172.30.2.3")}));
  EXPECT_EQ(reach_tcp(outside.get(), "10.99.0.1", 8080, server_b, 300), "");
}

TEST_F(NetworkTest, PublishedPortIsReachableFromEverywhere) {
  const NetworkSpec n1 = network("a1", "172.30.0.0/24", "172.30.0.1");
  const NetworkSpec n2 = network("b2", "172.30.1.0/24", "172.30.1.1");
  ASSERT_OK(ensure_network(n1));
  ASSERT_OK(ensure_network(n2));
  const Fd a = container({endpoint(n1, "172.30.0.2")});
  const Fd a2 = container({endpoint(n1, "172.30.0.3")});
  const Fd b = container({endpoint(n2, "172.30.1.2")});
  const Fd tcp = bound(a.get(), "0.0.0.0", 80, SOCK_STREAM);
  const Fd udp = bound(a.get(), "0.0.0.0", 80, SOCK_DGRAM);
  const Fd other = bound(a.get(), "0.0.0.0", 81, SOCK_STREAM);
  const std::vector<PublishedPort> ports = {port("", 8080, 80, "172.30.0.2"),
                                            port("0.0.0.0", 8080, 80, "172.30.0.2", "udp"),
                                            port("127.0.0.1", 8081, 81, "172.30.0.2")};
  ASSERT_OK(publish("c", ports));
  ASSERT_OK(publish("c", ports));
  EXPECT_EQ(reach_tcp(outside.get(), "10.99.0.1", 8080, tcp),
            "10.99.0.2");  // the client's address is kept
  EXPECT_EQ(reach_tcp(kHost, "10.99.0.1", 8080, tcp), "10.99.0.1");
  EXPECT_EQ(reach_tcp(kHost, "127.0.0.1", 8080, tcp), "172.30.0.1");
  EXPECT_EQ(reach_tcp(kHost, "172.30.0.1", 8080, tcp), "172.30.0.1");
  EXPECT_NE(reach_tcp(a2.get(), "10.99.0.1", 8080, tcp), "");  // a neighbour
  EXPECT_NE(reach_tcp(a.get(), "10.99.0.1", 8080, tcp), "");   // itself (hairpin)
  EXPECT_NE(reach_tcp(a.get(), "172.30.0.1", 8080, tcp), "");
  EXPECT_NE(reach_tcp(b.get(), "10.99.0.1", 8080, tcp), "");   // another network
  EXPECT_NE(reach_tcp(b.get(), "172.30.0.1", 8080, tcp), "");  // by the other bridge's gateway
  EXPECT_EQ(reach_tcp(outside.get(), "172.30.0.2", 80, tcp, 300), "");  // not directly
  EXPECT_EQ(reach_tcp(b.get(), "172.30.0.2", 80, tcp, 300), "");

  EXPECT_NE(reach_udp(outside.get(), "10.99.0.1", 8080, udp), "");
  EXPECT_NE(reach_udp(kHost, "127.0.0.1", 8080, udp), "");
  EXPECT_NE(reach_udp(b.get(), "10.99.0.1", 8080, udp), "");
  EXPECT_NE(reach_udp(a.get(), "172.30.0.1", 8080, udp), "");

  EXPECT_EQ(reach_tcp(kHost, "127.0.0.1", 8081, other), "172.30.0.1");
  EXPECT_EQ(reach_tcp(kHost, "10.99.0.1", 8081, other, 300), "");
  EXPECT_EQ(reach_tcp(outside.get(), "10.99.0.1", 8081, other, 300), "");
  EXPECT_EQ(reach_tcp(a2.get(), "172.30.0.1", 8081, other, 300), "");
  // A neighbour that routes 127.0.0.1 to us (moby#45610).
  const Status routed = run_in_namespace(outside.get(), []() -> Status {
    run("sysctl -q -w net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo;"
        "ip route add 127.0.0.1/32 via 10.99.0.1 src 10.99.0.2");
    return ok_status();
  });
  ASSERT_OK(routed);
  EXPECT_EQ(reach_tcp(outside.get(), "127.0.0.1", 8081, other, 300), "");

  const Status conflict = publish("d", {port("", 8080, 80, "172.30.0.3")});
  ASSERT_FALSE(conflict.ok());
  EXPECT_EQ(conflict.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(conflict.error().to_string(), ::testing::HasSubstr("port is already allocated"));

  ASSERT_OK(unpublish("c", ports));
  ASSERT_OK(unpublish("c", ports));
  EXPECT_EQ(reach_tcp(outside.get(), "10.99.0.1", 8080, tcp, 300), "");
  ASSERT_OK(publish("d", {port("", 8080, 80, "172.30.0.3")}));
}

TEST_F(NetworkTest, UdpClientFollowsAReplacedContainer) {
  const NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  ASSERT_OK(ensure_network(n));
  const Fd first = container({endpoint(n, "172.30.0.2")});
  const Fd second = container({endpoint(n, "172.30.0.3")});
  const Fd server1 = bound(first.get(), "0.0.0.0", 53, SOCK_DGRAM);
  const Fd server2 = bound(second.get(), "0.0.0.0", 53, SOCK_DGRAM);
  const std::vector<PublishedPort> before = {port("", 5353, 53, "172.30.0.2", "udp")};
  ASSERT_OK(publish("c", before));
  const Fd client = bound(outside.get(), "10.99.0.2", 4000, SOCK_DGRAM);  // one flow
  const SocketAddress target = socket_address("10.99.0.1", 5353);
  ASSERT_EQ(::sendto(client.get(), "1", 1, 0, target.get(), target.size), 1);
  EXPECT_TRUE(readable(server1.get(), 1000));
  ASSERT_OK(unpublish("c", before));
  ASSERT_OK(publish("d", {port("", 5353, 53, "172.30.0.3", "udp")}));
  ASSERT_EQ(::sendto(client.get(), "2", 1, 0, target.get(), target.size), 1);
  EXPECT_TRUE(readable(server2.get(), 1000));
}

TEST_F(NetworkTest, AddressGivenToAnotherContainerWorksAtOnce) {
  const NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  ASSERT_OK(ensure_network(n));
  const Fd peer = container({endpoint(n, "172.30.0.9")});
  for (int i = 0; i < 3; ++i) {
    EndpointSpec e = endpoint(n, "172.30.0.2");  // another MAC each time
    e.host_veth = "stvtest" + std::to_string(i);
    {
      const Fd a = container({e});
      const Fd server = bound(a.get(), "0.0.0.0", 80, SOCK_STREAM);
      EXPECT_EQ(reach_tcp(peer.get(), "172.30.0.2", 80, server, 500), "172.30.0.9") << i;
      EXPECT_EQ(reach_tcp(kHost, "172.30.0.2", 80, server, 500), "172.30.0.1") << i;
    }
    for (int wait = 0; wait < 5000 && link_index(e.host_veth) != 0; ++wait) ::usleep(1000);
    ASSERT_EQ(link_index(e.host_veth), 0);
  }
}

TEST_F(NetworkTest, Ipv6NetworkAndPublishedPort) {
  NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  n.ipv6 = {{"fd00:aa::/64", "fd00:aa::1", ""}};
  ASSERT_OK(ensure_network(n));
  EndpointSpec e = endpoint(n, "172.30.0.2");
  e.ipv6 = "fd00:aa::2/64";
  e.gateway6 = "fd00:aa::1";
  e.default_route6 = true;
  const Fd a = container({e});
  const Fd server = bound(a.get(), "::", 80, SOCK_STREAM);
  PublishedPort p = port("", 8080, 80, "172.30.0.2");
  p.container_ipv6 = "fd00:aa::2";
  ASSERT_OK(publish("c", {p}));
  EXPECT_EQ(reach_tcp(outside.get(), "fd99::1", 8080, server), "fd99::2");
  EXPECT_EQ(reach_tcp(kHost, "fd99::1", 8080, server), "fd99::1");
  EXPECT_NE(reach_tcp(a.get(), "fd99::1", 8080, server), "");
  const Fd server_out = bound(outside.get(), "::", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.get(), "fd99::2", 80, server_out), "fd99::1");
}

TEST_F(NetworkTest, InterfaceWithoutIpv6HasNone) {
  const NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  ASSERT_OK(ensure_network(n));
  const Fd a = container({endpoint(n, "172.30.0.2")});
  const Status s = run_in_namespace(a.get(), []() -> Status {
    EXPECT_EQ(read_sysctl("ipv6/conf/eth0/disable_ipv6").value(), "1");
    EXPECT_EQ(read_sysctl("ipv6/conf/eth0/accept_ra").value(), "0");
    EXPECT_EQ(read_sysctl("ipv6/conf/lo/disable_ipv6").value(), "0");
    EXPECT_EQ(read_sysctl("ipv4/ip_unprivileged_port_start").value(), "0");
    return ok_status();
  });
  ASSERT_OK(s);
}

TEST_F(NetworkTest, TeardownLeavesNothing) {
  run("ip link add dummy-before type bridge");
  ASSERT_EQ(read_sysctl("ipv4/ip_forward").value(), "0");
  const NetworkSpec n1 = network("a1", "172.30.0.0/24", "172.30.0.1");
  const NetworkSpec n2 = network("b2", "172.30.1.0/24", "172.30.1.1");
  ASSERT_OK(ensure_network(n1));
  ASSERT_OK(ensure_network(n2));
  EXPECT_EQ(read_sysctl("ipv4/ip_forward").value(), "1");
  EXPECT_TRUE(firewall_intact().value());
  {
    const Fd a = container({endpoint(n1, "172.30.0.2"), endpoint(n2, "172.30.1.2", "eth1")});
    const std::vector<PublishedPort> ports = {port("", 8080, 80, "172.30.0.2")};
    ASSERT_OK(publish("c", ports));
    ASSERT_OK(unpublish("c", ports));
    ASSERT_OK(remove_network(n1));  // with a container still in it
    ASSERT_OK(remove_network(n1));
    EXPECT_EQ(table_state(host_table()).value(), TableState::kComplete);
  }
  ASSERT_OK(remove_network(n2));
  ASSERT_OK(remove_network(n2));
  EXPECT_EQ(table_state(host_table()).value(), TableState::kAbsent);
  EXPECT_EQ(read_sysctl("ipv4/ip_forward").value(), "0");
  NetlinkSocket socket = NetlinkSocket::open_route().value();
  for (const Link& link : list_links(socket).value()) {
    EXPECT_FALSE(link.name.starts_with("stk-") || link.name.starts_with("stv")) << link.name;
  }
}

TEST_F(NetworkTest, ForwardingTurnedOnForUsDoesNotMakeTheHostARouter) {
  run("ip link add eth9 type veth peer name peer9 && ip addr add 10.98.0.1/24 dev eth9 && ip link "
      "set eth9 up");
  const Fd other = create_namespace().value();
  const Fd keep(::dup(other.get()));
  run("ip link set peer9 netns /proc/self/fd/" + std::to_string(keep.get()));
  ASSERT_OK(run_in_namespace(other.get(), []() -> Status {
    run("ip addr add 10.98.0.2/24 dev peer9; ip link set peer9 up; ip route add default via "
        "10.98.0.1");
    return ok_status();
  }));
  const Fd server = bound(other.get(), "0.0.0.0", 80, SOCK_STREAM);
  const NetworkSpec n = network("a1", "172.30.0.0/24", "172.30.0.1");
  ASSERT_OK(ensure_network(n));
  EXPECT_EQ(read_sysctl("ipv4/ip_forward").value(), "1");
  EXPECT_EQ(reach_tcp(outside.get(), "10.98.0.2", 80, server, 300), "");
  const Fd a = container({endpoint(n, "172.30.0.2")});
  EXPECT_EQ(reach_tcp(a.get(), "10.98.0.2", 80, server), "10.98.0.1");
}

TEST_F(NetworkTest, BridgeWithoutFreePortIsAConflict) {
  const NetworkSpec n = network("a1", "172.30.0.0/20", "172.30.0.1");
  ASSERT_OK(ensure_network(n));
  const Fd ns = create_namespace().value();
  std::vector<EndpointSpec> batch;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kMaxBridgePorts; ++i) {
    EndpointSpec e =
        endpoint(n, "172.30." + std::to_string(1 + i / 250) + "." + std::to_string(1 + i % 250),
                 "eth" + std::to_string(i));
    e.default_route4 = false;
    batch.push_back(e);
    if (batch.size() == 31) {
      ASSERT_OK(attach_endpoints(ns.get(), batch, false));
      batch.clear();
    }
  }
  ASSERT_TRUE(batch.empty());
  const auto ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  std::printf("[ measure  ] %d endpoints in batches of 31: %.3f ms each\n", kMaxBridgePorts,
              ms / kMaxBridgePorts);
  const Status s = attach_endpoints(ns.get(), {endpoint(n, "172.30.9.9", "last")}, false);
  ASSERT_FALSE(s.ok());
  EXPECT_EQ(s.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(s.error().to_string(), ::testing::HasSubstr("at most 1023 containers"));
}

TEST_F(NetworkTest, MeasureAttach) {
  const NetworkSpec n = network("a1", "172.30.0.0/20", "172.30.0.1");
  ASSERT_OK(ensure_network(n));
  std::vector<Fd> keep;
  double create = 0;
  double attach = 0;
  double resolver = 0;
  constexpr int kCount = 50;
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto ms = [](auto d) { return std::chrono::duration<double, std::milli>(d).count(); };
  for (int i = 0; i < kCount; ++i) {
    auto t = now();
    keep.push_back(create_namespace().value());
    create += ms(now() - t);
    t = now();
    ASSERT_OK(attach_endpoints(keep.back().get(),
                               {endpoint(n, "172.30.1." + std::to_string(i + 1))}, false));
    attach += ms(now() - t);
    t = now();
    ASSERT_OK(run_in_namespace(keep.back().get(), [] { return install_resolver_rules(); }));
    resolver += ms(now() - t);
  }
  std::printf(
      "[ measure  ] create_namespace %.3f ms, attach without resolver %.3f ms, resolver rules %.3f "
      "ms\n",
      create / kCount, attach / kCount, resolver / kCount);
}
}  // namespace
}  // namespace stack::netd::test
