// The rule set as data: which elements a network or port becomes, and that the bytes are
// well-formed netlink.
#include "netd/firewall_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nfnetlink.h>

#include <map>

#include "netd/endpoint.h"

namespace stack::netd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;

std::string raw(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) out.push_back(static_cast<char>(b));
  return out;
}

PublishedPort port(const std::string& host_ip, const std::string& protocol = "tcp") {
  PublishedPort p;
  p.host_ip = host_ip;
  p.host_port = 8080;
  p.container_port = 80;
  p.protocol = protocol;
  p.container_ipv4 = "172.18.0.2";
  return p;
}

// Message types in order, after checking that lengths add up and sequence numbers rise.
std::vector<int> message_types(const NetlinkBatch& batch) {
  std::vector<int> types;
  const auto bytes = batch.bytes();
  std::size_t at = 0;
  while (at + sizeof(nlmsghdr) <= bytes.size()) {
    nlmsghdr header;
    std::memcpy(&header, bytes.data() + at, sizeof header);
    EXPECT_GE(header.nlmsg_len, sizeof header);
    EXPECT_LE(at + header.nlmsg_len, bytes.size());
    EXPECT_EQ(header.nlmsg_seq, types.size() + 1);
    if (header.nlmsg_len < sizeof header) break;
    types.push_back(header.nlmsg_type);
    at += NLMSG_ALIGN(header.nlmsg_len);
  }
  EXPECT_EQ(at, bytes.size());
  return types;
}

constexpr int nft(int message) { return NFNL_SUBSYS_NFTABLES << 8 | message; }

TEST(FirewallRules, IntervalEndsBehindTheSubnet) {
  EXPECT_THAT(
      interval(*parse_prefix("10.1.2.0/24")),
      ElementsAre(Element{raw({10, 1, 2, 0}), "", false}, Element{raw({10, 1, 3, 0}), "", true}));
  EXPECT_THAT(interval(*parse_prefix("255.255.255.0/24")),
              ElementsAre(Element{raw({255, 255, 255, 0}), "", false}));
}

TEST(FirewallRules, NetworkElements) {
  NetworkSpec n;
  n.id = std::string(64, 'a');
  n.name = "net";
  n.bridge = bridge_name(n.id);
  EXPECT_EQ(n.bridge, "stk-aaaaaaaaaa");
  n.ipv4 = {{"172.18.0.0/16", "172.18.0.1", ""}};
  EXPECT_THAT(*network_elements(n),
              ElementsAre(Key("bridges"), Key("masqueraded4"), Key("peers"), Key("subnets4")));
  n.internal = true;
  n.icc = false;
  EXPECT_THAT(*network_elements(n),
              ElementsAre(Key("bridges"), Key("internal"), Key("masqueraded4"), Key("subnets4")));
  n.internal = false;
  n.masquerade = false;
  EXPECT_THAT(*network_elements(n), ElementsAre(Key("bridges"), Key("subnets4")));
  n.ipv4[0].cidr = "fd00::/64";
  EXPECT_FALSE(network_elements(n).ok());
}

TEST(FirewallRules, PortElements) {
  const SetElements any = *port_elements(port(""));
  ASSERT_THAT(any, ElementsAre(Key("publish_any4")));
  EXPECT_EQ(any.at("publish_any4")[0].key, raw({6, 0, 0, 0, 0x1f, 0x90, 0, 0}));
  EXPECT_EQ(any.at("publish_any4")[0].data, raw({172, 18, 0, 2, 0, 80, 0, 0}));
  EXPECT_THAT(*port_elements(port("0.0.0.0", "udp")), ElementsAre(Key("publish_any4")));
  const SetElements local = *port_elements(port("127.0.0.1"));
  EXPECT_EQ(local.at("publish4")[0].key, raw({127, 0, 0, 1, 6, 0, 0, 0, 0x1f, 0x90, 0, 0}));
  EXPECT_THAT(*port_elements(port("::")), IsEmpty());  // proxied
  EXPECT_THAT(*port_elements(port("::1")), IsEmpty());
  PublishedPort both = port("");
  both.container_ipv6 = "fd00::2";
  EXPECT_THAT(*port_elements(both), ElementsAre(Key("publish_any4"), Key("publish_any6")));
  both.host_ip = "::1";
  EXPECT_THAT(*port_elements(both), IsEmpty());
  EXPECT_FALSE(port_elements(port("1.2.3")).ok());
  EXPECT_FALSE(port_elements(port("", "icmp")).ok());
}

TEST(FirewallRules, TableIsOneTransaction) {
  NftBatch batch(NFPROTO_INET, kTable);
  write_table(batch, host_table(), true);
  const std::vector<int> types = message_types(batch.finish());
  EXPECT_EQ(types.front(), NFNL_MSG_BATCH_BEGIN);
  EXPECT_EQ(types.back(), NFNL_MSG_BATCH_END);
  std::map<int, int> count;
  for (const int t : types) ++count[t];
  EXPECT_EQ(count[nft(NFT_MSG_NEWTABLE)], 2);
  EXPECT_EQ(count[nft(NFT_MSG_DELTABLE)], 1);
  EXPECT_EQ(count[nft(NFT_MSG_NEWSET)], 13);
  EXPECT_EQ(count[nft(NFT_MSG_NEWCHAIN)], 6);
}

TEST(FirewallRules, ResolverRulesAreFixedBytes) {
  const NetlinkBatch a = resolver_rules();
  const NetlinkBatch b = resolver_rules();
  EXPECT_TRUE(std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end()));
  EXPECT_THAT(message_types(a),
              ElementsAre(int{NFNL_MSG_BATCH_BEGIN}, nft(NFT_MSG_NEWTABLE), nft(NFT_MSG_NEWCHAIN),
                          nft(NFT_MSG_NEWRULE), nft(NFT_MSG_NEWRULE), nft(NFT_MSG_NEWRULE),
                          nft(NFT_MSG_NEWRULE), int{NFNL_MSG_BATCH_END}));
}

TEST(FirewallRules, ManyElementsAreSplitOverMessages) {
  NftBatch batch(NFPROTO_INET, kTable);
  std::vector<Element> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back(
        {raw({6, 0, 0, 0, i >> 8, i & 255, 0, 0}), raw({10, 0, 0, 1, 0, 80, 0, 0}), false});
  batch.add_elements("publish_any4", many);
  EXPECT_EQ(message_types(batch.finish()).size(), 3U + 2U);
}

TEST(VethName, FitsAnInterfaceName) {
  EXPECT_EQ(veth_name(std::string(64, 'b'), 0), "stvbbbbbbbbb.0");
  EXPECT_LE(veth_name(std::string(64, 'b'), 12).size(), 15U);
}

}  // namespace
}  // namespace stack::netd
