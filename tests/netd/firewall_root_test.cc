// Living beside other people's firewalls: FORWARD with policy drop (nftables, iptables-nft,
// iptables-legacy), flushes.
#include <gmock/gmock.h>

#include "base/files.h"
#include "netd/firewall.h"
#include "netd/foreign_chains.h"
#include "netd/ports.h"
#include "tests/netd/sandbox.h"

namespace stack::netd::test {
namespace {

class FirewallTest : public NetworkTest {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    net = network("a1", "172.30.0.0/24", "172.30.0.1");
    web.host_port = 8080;
    web.container_port = 80;
    web.container_ipv4 = "172.30.0.2";
    server_out = bound(outside.get(), "0.0.0.0", 80, SOCK_STREAM);
  }
  void start() {
    ASSERT_OK(ensure_network(net));
    a = container({endpoint(net, "172.30.0.2")});
    server = bound(a.get(), "0.0.0.0", 80, SOCK_STREAM);
    ASSERT_OK(publish("c", {web}));
  }
  void expect_traffic(bool works) {
    EXPECT_EQ(!reach_tcp(a.get(), "10.99.0.2", 80, server_out, works ? 1500 : 300).empty(), works);
    EXPECT_EQ(!reach_tcp(outside.get(), "10.99.0.1", 8080, server, works ? 1500 : 300).empty(),
              works);
    EXPECT_TRUE(reach_tcp(outside.get(), "172.30.0.2", 80, server, 200).empty());  // never directly
  }
  static void apply(NftBatch& batch) {
    NetlinkSocket socket = NetlinkSocket::open_netfilter().value();
    ASSERT_OK(socket.transact(batch.finish(), "preparing the other firewall"));
  }
  static void foreign_table(std::uint8_t family, const std::string& table, const std::string& chain,
                            bool docker_user) {
    NftBatch batch(family, table);
    batch.add_table();
    batch.add_chain(chain, BaseChain{"filter", NF_INET_FORWARD, 0, NF_DROP});
    if (docker_user) batch.add_chain("DOCKER-USER");
    apply(batch);
  }
  static void flush_ruleset() {
    NftBatch batch(NFPROTO_INET, kTable);
    batch.delete_table();
    apply(batch);
  }

  NetworkSpec net;
  PublishedPort web;
  Fd a, server, server_out;
};

TEST_F(FirewallTest, ForwardPolicyDropOfOthers) {
  foreign_table(NFPROTO_IPV4, "filter", "FORWARD", false);
  foreign_table(NFPROTO_INET, "mine", "fwd", false);
  start();
  expect_traffic(true);
  EXPECT_EQ(missing_foreign_accepts().value(), 0);
  ASSERT_OK(ensure_network(net));  // not inserted twice
  ASSERT_OK(remove_network(net));
  EXPECT_EQ(missing_foreign_accepts().value(), 2);  // ours are gone, theirs are as they were
}

TEST_F(FirewallTest, ABridgeThatTheUserNamedIsLetThroughToo) {
  foreign_table(NFPROTO_IPV4, "filter", "FORWARD", false);
  net.bridge = "br-mine";
  start();
  expect_traffic(true);
  EXPECT_EQ(missing_foreign_accepts().value(), 0);
  const NetworkSpec other = network("b2", "172.31.0.0/24", "172.31.0.1");
  ASSERT_OK(ensure_network(other));
  ASSERT_OK(remove_network(net));  // takes its own rules along, and leaves the others'
  EXPECT_EQ(missing_foreign_accepts().value(), 0);
  EXPECT_NE(std::system("nft list chain ip filter FORWARD | grep -q br-mine"), 0);
  EXPECT_EQ(std::system("nft list chain ip filter FORWARD | grep -q stk-"), 0);
  ASSERT_OK(remove_network(other));
  EXPECT_EQ(missing_foreign_accepts().value(), 1);
}

TEST_F(FirewallTest, DropThatCameLaterIsNoticedAndRepaired) {
  start();
  EXPECT_TRUE(firewall_intact().value());
  const Fd watch = watch_firewall().value();
  EXPECT_FALSE(drain_firewall_events(watch.get()));
  foreign_table(NFPROTO_IPV4, "filter", "FORWARD", false);
  EXPECT_TRUE(readable(watch.get(), 500));
  EXPECT_TRUE(drain_firewall_events(watch.get()));
  EXPECT_FALSE(firewall_intact().value());
  expect_traffic(false);
  ASSERT_OK(restore_firewall({{net}, {{"c", {web}}}, {}}));
  EXPECT_TRUE(firewall_intact().value());
  expect_traffic(true);
}

TEST_F(FirewallTest, ATableMadeAnewByAnotherNetworkIsNotWhole) {
  start();
  EXPECT_TRUE(firewall_intact({{net}, {{"c", {web}}}, {}}).value());
  flush_ruleset();
  const NetworkSpec other = network("b2", "172.30.1.0/24", "172.30.1.1");
  ASSERT_OK(ensure_network(other));
  EXPECT_TRUE(firewall_intact({{other}, {}, {}}).value());
  EXPECT_FALSE(firewall_intact({{other, net}, {}, {}}).value());
  EXPECT_FALSE(firewall_intact({{other}, {{"c", {web}}}, {}}).value());
}

TEST_F(FirewallTest, FlushedRulesComeBack) {
  start();
  expect_traffic(true);
  flush_ruleset();
  EXPECT_FALSE(firewall_intact().value());
  ASSERT_OK(restore_firewall({{net}, {{"c", {web}}}, {}}));
  EXPECT_TRUE(firewall_intact().value());
  expect_traffic(true);
  ASSERT_OK(restore_firewall({{net}, {{"c", {web}}}, {}}));  // over an existing table
  expect_traffic(true);
  ASSERT_OK(restore_firewall({}));
  EXPECT_EQ(table_state(host_table()).value(), TableState::kAbsent);
}

TEST_F(FirewallTest, DockersUserChainIsUsedWhenItExists) {
  {
    NftBatch batch(NFPROTO_IPV4, "filter");
    batch.add_table();
    batch.add_chain("FORWARD", BaseChain{"filter", NF_INET_FORWARD, 0, NF_DROP});
    batch.add_chain("DOCKER-USER");
    apply(batch);
  }
  ASSERT_OK(ensure_network(net));
  EXPECT_EQ(missing_foreign_accepts().value(), 0);
  ASSERT_OK(remove_network(net));
  EXPECT_EQ(missing_foreign_accepts().value(), 1);
}

// The x_tables interface by hand: the whole table is read and written. Returns the bytes of its
// entries.
constexpr std::size_t kInfoSize = 84, kEntriesAt = 40, kReplaceSize = 96, kIpEntry = 112,
                      kVerdictAt = 32;
struct Legacy {
  std::string info = std::string("filter") + std::string(kInfoSize - 6, '\0');
  std::string entries;
  std::uint32_t field(std::size_t at) const {
    std::uint32_t v = 0;
    std::memcpy(&v, info.data() + at, sizeof v);
    return v;
  }
};
bool read_legacy(Legacy& t) {
  const Fd fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  socklen_t size = kInfoSize;
  if (::getsockopt(fd.get(), IPPROTO_IP, 64, t.info.data(), &size) != 0) return false;
  const std::uint32_t bytes = t.field(80);
  std::string buffer = "filter" + std::string(kEntriesAt - 6 + bytes, '\0');
  std::memcpy(buffer.data() + 32, &bytes, sizeof bytes);
  size = static_cast<socklen_t>(buffer.size());
  if (::getsockopt(fd.get(), IPPROTO_IP, 65, buffer.data(), &size) != 0) return false;
  t.entries = buffer.substr(kEntriesAt);
  return true;
}
bool drop_policy(Legacy& t) {
  const int drop = -1;  // -NF_DROP - 1
  const std::uint32_t forward_policy = t.field(56 + 2 * 4);
  std::memcpy(t.entries.data() + forward_policy + kIpEntry + kVerdictAt, &drop, sizeof drop);
  std::string replace(kReplaceSize, '\0');
  std::memcpy(replace.data(), t.info.data(), 36);            // name, valid_hooks
  std::memcpy(replace.data() + 36, t.info.data() + 76, 8);   // entries, size
  std::memcpy(replace.data() + 44, t.info.data() + 36, 40);  // hook entries, underflows
  const std::uint32_t count = t.field(76);
  std::memcpy(replace.data() + 84, &count, sizeof count);
  std::string counters(count * 16, '\0');
  const char* pointer = counters.data();
  std::memcpy(replace.data() + 88, &pointer, sizeof pointer);
  replace += t.entries;
  const Fd fd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  return ::setsockopt(fd.get(), IPPROTO_IP, 64, replace.data(),
                      static_cast<socklen_t>(replace.size())) == 0;
}

TEST_F(FirewallTest, LegacyIptablesWithPolicyDrop) {
  Legacy before;
  if (!read_legacy(before)) GTEST_SKIP() << "the kernel has no x_tables filter table";
  ASSERT_TRUE(drop_policy(before));
  start();
  EXPECT_TRUE(firewall_intact().value());
  expect_traffic(true);
  ASSERT_OK(ensure_network(net));
  Legacy with;
  ASSERT_TRUE(read_legacy(with));
  EXPECT_EQ(with.field(76), before.field(76) + 2);
  ASSERT_OK(remove_network(net));
  Legacy after;
  ASSERT_TRUE(read_legacy(after));
  EXPECT_EQ(after.info, before.info);
  EXPECT_EQ(after.entries.size(), before.entries.size());
}

}  // namespace
}  // namespace stack::netd::test
