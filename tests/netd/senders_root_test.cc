// Nobody takes a neighbour's address: frames sent raw from one container, and whether they reach
// another one.
#include <gmock/gmock.h>
#include <net/if.h>
#include <netpacket/packet.h>

#include "base/files.h"
#include "netd/firewall.h"
#include "netd/sender_rules.h"
#include "netd/senders.h"
#include "tests/netd/sandbox.h"

namespace stack::netd::test {
namespace {

constexpr int kArp = 0x0806, kIp = 0x0800, kIp6 = 0x86dd,
              kOther = 0x88b5;  // the last: IEEE 802, local
constexpr std::uint8_t kNeighbourAdvertisement = 136;

std::string be16(int v) { return {static_cast<char>(v >> 8), static_cast<char>(v & 0xff)}; }
std::string packed(const std::string& ip) {
  const Address a = parse_address(ip).value();
  return {reinterpret_cast<const char*>(a.bytes), a.size()};
}
std::string packed_mac(const std::string& mac) {
  const auto bytes = mac_bytes(mac).value();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class SenderTest : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    net = network("a1", "172.30.0.0/24", "172.30.0.1");
    net.ipv6 = {{"fd30::/64", "fd30::1", ""}};
    ASSERT_OK(ensure_network(net));
    a = member("172.30.0.2", "fd30::2");
    b = member("172.30.0.3", "fd30::3");
  }

  struct Member {
    Fd ns;
    Sender sender;
  };
  Member member(const std::string& ip, const std::string& ip6) {
    EndpointSpec spec = endpoint(net, ip);
    spec.ipv6 = ip6 + "/64";
    spec.host_veth = veth_name(random_hex(64), 0);
    Member out{container({spec}), {spec.host_veth, spec.mac, ip, ip6, {}}};
    return out;
  }

  // Broadcast from a's eth0 with this Ethernet source; whether b's eth0 saw it.
  bool arrives(const std::string& source_mac, int protocol, const std::string& payload) {
    const Fd out = packet_socket(a.ns, protocol);
    const Fd in = packet_socket(b.ns, protocol);
    const std::string frame =
        std::string(6, '\xff') + packed_mac(source_mac) + be16(protocol) + payload;
    EXPECT_GT(::send(out.get(), frame.data(), frame.size(), 0), 0) << strerror(errno);
    char buffer[2048];
    while (readable(in.get(), 500)) {
      const ssize_t n = ::recv(in.get(), buffer, sizeof buffer, 0);
      if (n > 0 && std::string(buffer, static_cast<std::size_t>(n)) == frame) return true;
    }
    return false;
  }
  static std::string arp_reply(const std::string& mac, const std::string& ip) {
    return be16(1) + be16(kIp) + "\x06\x04" + be16(2) + packed_mac(mac) + packed(ip) +
           std::string(6, '\xff') + packed(ip);
  }
  static std::string ip4(const std::string& source) {
    std::string header =
        std::string("\x45\0\0\x14\0\0\0\0\x40\xfd\0\0", 12) + packed(source) + packed("172.30.0.3");
    std::uint32_t sum = 0;  // br_netfilter drops headers with a wrong one: RFC 1071
    for (std::size_t i = 0; i < header.size(); i += 2) {
      sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(header[i])) << 8U |
             static_cast<std::uint8_t>(header[i + 1]);
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    header.replace(10, 2, be16(static_cast<int>(~(sum + (sum >> 16U)) & 0xffffU)));
    return header;
  }
  static std::string ip6(const std::string& source, char next, const std::string& payload) {
    return std::string("\x60\0\0\0", 4) + be16(static_cast<int>(payload.size())) + next + '\xff' +
           packed(source) + packed("ff02::1") + payload;
  }
  static std::string advertisement(const std::string& target) {
    return std::string(1, static_cast<char>(kNeighbourAdvertisement)) +
           std::string("\0\0\0\x20\0\0\0", 7) + packed(target);
  }

  NetworkSpec net;
  Member a, b;

 private:
  static Fd packet_socket(const Fd& ns, int protocol) {
    Fd fd;
    const Status made = run_in_namespace(ns.get(), [&]() -> Status {
      fd = Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
      sockaddr_ll address{};
      address.sll_family = AF_PACKET;
      address.sll_protocol = htons(static_cast<std::uint16_t>(protocol));
      address.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
      if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return Error::os(errno, "binding a packet socket");
      return ok_status();
    });
    EXPECT_TRUE(made.ok());
    return fd;
  }
};

TEST_F(SenderTest, OwnAddressesPass) {
  ASSERT_OK(guard_senders({a.sender, b.sender}));
  const std::string& mac = a.sender.mac;
  EXPECT_TRUE(arrives(mac, kArp, arp_reply(mac, "172.30.0.2")));
  EXPECT_TRUE(arrives(mac, kIp, ip4("172.30.0.2")));
  EXPECT_TRUE(arrives(mac, kIp6, ip6("fd30::2", 59, "")));
  EXPECT_TRUE(arrives(mac, kIp6, ip6("fe80::1234", 59, "")));
  EXPECT_TRUE(arrives(mac, kIp6, ip6("::", 59, "")));
  EXPECT_TRUE(arrives(mac, kIp6, ip6("fe80::1234", 58, advertisement("fd30::2"))));
  EXPECT_TRUE(arrives(mac, kIp6, ip6("fe80::1234", 58, advertisement("fe80::1234"))));
  EXPECT_TRUE(arrives(mac, kOther, "whatever"));
  const Fd server = bound(b.ns.get(), "172.30.0.3", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.ns.get(), "172.30.0.3", 80, server), "172.30.0.2");
  const Fd server6 = bound(b.ns.get(), "fd30::3", 80, SOCK_STREAM);
  EXPECT_EQ(reach_tcp(a.ns.get(), "fd30::3", 80, server6), "fd30::2");
}

TEST_F(SenderTest, StolenAddressesDoNot) {
  ASSERT_OK(guard_senders({a.sender, b.sender}));
  const std::string& mac = a.sender.mac;
  for (const char* stolen : {"172.30.0.1", "172.30.0.3", "0.0.0.0", "8.8.8.8"}) {
    EXPECT_FALSE(arrives(mac, kArp, arp_reply(mac, stolen))) << stolen;
    EXPECT_FALSE(arrives(mac, kIp, ip4(stolen))) << stolen;
  }
  EXPECT_FALSE(arrives(mac, kIp6, ip6("fd30::3", 59, "")));
  EXPECT_FALSE(arrives(mac, kIp6, ip6("fe80::1234", 58, advertisement("fd30::1"))));
  // Another MAC address, in the frame or in the ARP message.
  EXPECT_FALSE(arrives(b.sender.mac, kOther, "whatever"));
  EXPECT_FALSE(arrives(b.sender.mac, kIp, ip4("172.30.0.2")));
  EXPECT_FALSE(arrives(mac, kArp, arp_reply(b.sender.mac, "172.30.0.2")));
}

TEST_F(SenderTest, WhatIsNotGuardedMayDoAsItLikes) {
  ASSERT_OK(guard_senders({b.sender}));
  EXPECT_TRUE(arrives(a.sender.mac, kArp, arp_reply(a.sender.mac, "172.30.0.3")));
  ASSERT_OK(guard_senders({a.sender}));
  EXPECT_FALSE(arrives(a.sender.mac, kArp, arp_reply(a.sender.mac, "172.30.0.3")));
  ASSERT_OK(guard_senders({a.sender}));  // twice is as once
  ASSERT_OK(forget_senders({a.sender}));
  ASSERT_OK(forget_senders({a.sender}));
  EXPECT_TRUE(arrives(a.sender.mac, kArp, arp_reply(a.sender.mac, "172.30.0.3")));
}

TEST_F(SenderTest, TheTableIsRestoredAndGoesWithTheLastNetwork) {
  ASSERT_OK(guard_senders({a.sender, b.sender}));
  NftBatch flush(NFPROTO_BRIDGE, kTable);
  flush.delete_table();
  NetlinkSocket socket = NetlinkSocket::open_netfilter().value();
  ASSERT_OK(socket.transact(flush.finish(), "flushing"));
  EXPECT_TRUE(arrives(a.sender.mac, kIp, ip4("172.30.0.3")));
  FirewallState state;
  state.networks = {net};
  state.senders = {a.sender};
  ASSERT_OK(restore_firewall(state));
  EXPECT_FALSE(arrives(a.sender.mac, kIp, ip4("172.30.0.3")));
  EXPECT_EQ(list_elements(sender_table(), "guarded").value().size(), 1u);
  ASSERT_OK(remove_network(net));
  EXPECT_EQ(table_state(sender_table()).value(), TableState::kAbsent);
}

}  // namespace
}  // namespace stack::netd::test
