#include "netd/ipam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stack::netd {
namespace {

using ::testing::HasSubstr;

TEST(Address, ParsesAndPrintsBothFamilies) {
  EXPECT_EQ(to_string(*parse_address("172.18.0.1")), "172.18.0.1");
  EXPECT_EQ(to_string(*parse_address("FD00:0::1")), "fd00::1");
  for (const char* bad :
       {"", "1.2.3", "1.2.3.256", "fe80::1%eth0", "1.2.3.4:80", "localhost", " 1.2.3.4"}) {
    EXPECT_FALSE(parse_address(bad)) << bad;
  }
  for (const char* bad :
       {"1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/8x", "fd00::/129", "/8"}) {
    EXPECT_FALSE(parse_prefix(bad)) << bad;
  }
}

TEST(Address, Arithmetic) {
  const Prefix p = *parse_prefix("10.1.2.3/20");
  EXPECT_EQ(to_string(masked(p)), "10.1.0.0/20");
  EXPECT_EQ(to_string(last_address(p)), "10.1.15.255");
  EXPECT_EQ(to_string(plus(*parse_address("10.0.255.255"), 2)), "10.1.0.1");
  EXPECT_EQ(to_string(plus(*parse_address("255.255.255.255"), 1)), "0.0.0.0");
  EXPECT_EQ(to_string(plus(*parse_address("fd00::ffff"), 1)), "fd00::1:0");
  EXPECT_TRUE(contains(p, *parse_address("10.1.15.1")));
  EXPECT_FALSE(contains(p, *parse_address("10.1.16.1")));
  EXPECT_TRUE(overlap(*parse_prefix("10.0.0.0/8"), *parse_prefix("10.9.0.0/16")));
  EXPECT_FALSE(overlap(*parse_prefix("10.0.0.0/9"), *parse_prefix("10.128.0.0/9")));
  EXPECT_FALSE(overlap(*parse_prefix("0.0.0.0/0"), *parse_prefix("::/0")));
  EXPECT_TRUE(overlap(*parse_prefix("0.0.0.0/0"), *parse_prefix("9.0.0.0/8")));
}

TEST(Subnets, FollowDockersPools) {
  std::vector<std::string> used;
  std::vector<std::string> got;
  for (;;) {
    const auto next = next_subnet4(used, {});
    if (!next.ok()) break;
    got.push_back(next->cidr);
    used.push_back(next->cidr);
  }
  ASSERT_EQ(got.size(), 14U + 16U);
  EXPECT_EQ(got[0], "172.18.0.0/16");
  EXPECT_EQ(got[13], "172.31.0.0/16");
  EXPECT_EQ(got[14], "192.168.0.0/20");
  EXPECT_EQ(got[29], "192.168.240.0/20");
  EXPECT_THAT(next_subnet4(used, {}).error().message,
              HasSubstr("all predefined address pools have been fully subnetted"));
  EXPECT_EQ(next_subnet4({}, {}, true)->cidr, "172.17.0.0/16");
}

TEST(Subnets, AvoidHostRoutes) {
  EXPECT_EQ(next_subnet4({"172.18.0.0/16"}, {"172.19.4.0/24", "172.20.0.0/15"})->cidr,
            "172.22.0.0/16");
  EXPECT_EQ(next_subnet4({}, {"172.16.0.0/12"})->cidr, "192.168.0.0/20");
  EXPECT_EQ(next_subnet4({}, {})->gateway, "172.18.0.1");
}

TEST(Subnets, UniqueLocalIpv6) {
  const auto a = next_subnet6("aa", {});
  ASSERT_TRUE(a.ok());
  EXPECT_EQ(a->cidr.substr(0, 2), "fd");
  EXPECT_TRUE(a->cidr.ends_with("/64"));
  EXPECT_EQ(next_subnet6("aa", {})->cidr, a->cidr);
  EXPECT_NE(next_subnet6("aa", {a->cidr})->cidr, a->cidr);
}

TEST(Subnets, Validation) {
  const auto check = [](Subnet s, std::vector<std::string> used = {}) {
    return validate_subnet(s, used);
  };
  EXPECT_EQ(check({"10.77.0.0/24", "", ""})->gateway, "10.77.0.1");
  EXPECT_EQ(check({"10.77.0.0/24", "10.77.0.254", ""})->gateway, "10.77.0.254");
  EXPECT_EQ(check({"10.77.0.0/24", "", "10.77.0.128/25"})->ip_range, "10.77.0.128/25");
  EXPECT_EQ(check({"nonsense", "", ""}).error().message,
            "invalid subnet nonsense: invalid CIDR block notation");
  EXPECT_THAT(check({"10.77.0.5/24", "", ""}).error().message,
              HasSubstr("it should be 10.77.0.0/24"));
  EXPECT_THAT(check({"10.77.0.0/24", "10.78.0.1", ""}).error().message,
              HasSubstr("doesn't contain this address"));
  EXPECT_THAT(check({"10.77.0.0/24", "", "10.78.0.0/25"}).error().message,
              HasSubstr("doesn't contain ip-range"));
  const auto overlap = check({"10.77.0.0/24", "", ""}, {"10.0.0.0/8"});
  EXPECT_EQ(overlap.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(overlap.error().message,
            "invalid pool request: Pool overlaps with other one on this address space");
}

TEST(Addresses, AreGivenOutInOrderAndSkipWhatIsTaken) {
  const Subnet s{"10.0.0.0/29", "10.0.0.1", ""};
  std::set<std::string> used;
  for (const char* expected : {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"}) {
    const auto next = next_address(s, used, "n (abc)");
    ASSERT_TRUE(next.ok());
    EXPECT_EQ(*next, expected);
    used.insert(*next);
  }
  EXPECT_EQ(next_address(s, used, "n (abc)").error().message,
            "no available IPv4 addresses on this network's address pools: n (abc)");
  used.erase("10.0.0.4");
  EXPECT_EQ(*next_address(s, used, ""), "10.0.0.4");
}

TEST(Addresses, ContinueBehindTheLastOne) {
  const Subnet s{"10.0.0.0/29", "10.0.0.1", ""};
  EXPECT_EQ(*next_address(s, {}, "", "10.0.0.3"), "10.0.0.4");
  EXPECT_EQ(*next_address(s, {"10.0.0.4"}, "", "10.0.0.3"), "10.0.0.5");
  EXPECT_EQ(*next_address(s, {}, "", "10.0.0.6"), "10.0.0.2");
  EXPECT_EQ(*next_address(s, {}, "", "10.0.0.7"), "10.0.0.2");
  EXPECT_EQ(*next_address(s, {}, "", "192.168.0.1"), "10.0.0.2");
  EXPECT_EQ(*next_address(s, {"10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"}, "", "10.0.0.3"),
            "10.0.0.3");
}

TEST(Addresses, RangeLimitsAutomaticOnesOnly) {
  const Subnet s{"10.77.0.0/24", "10.77.0.1", "10.77.0.128/30"};
  EXPECT_EQ(*next_address(s, {}, ""), "10.77.0.128");
  EXPECT_EQ(*next_address(s, {"10.77.0.128"}, ""), "10.77.0.129");
  EXPECT_TRUE(check_static_address(s, "10.77.0.50", {}).ok());
  EXPECT_EQ(check_static_address(s, "10.77.0.50", {"10.77.0.50"}).error().message,
            "Address already in use");
  EXPECT_EQ(check_static_address(s, "10.77.0.1", {}).error().message, "Address already in use");
  EXPECT_FALSE(check_static_address(s, "10.78.0.1", {}).ok());
  EXPECT_FALSE(check_static_address(s, "x", {}).ok());
}

TEST(Addresses, Ipv6AndTinySubnets) {
  EXPECT_EQ(*next_address({"fd00::/64", "fd00::1", ""}, {}, ""), "fd00::2");
  EXPECT_EQ(*next_address({"10.0.0.0/31", "", ""}, {}, ""), "10.0.0.0");
  EXPECT_EQ(*next_address({"255.255.255.252/30", "255.255.255.253", ""}, {}, ""),
            "255.255.255.254");
  EXPECT_FALSE(
      next_address({"255.255.255.252/30", "255.255.255.253", ""}, {"255.255.255.254"}, "").ok());
}

TEST(Mac, RandomOnesAreLocalUnicastAndTextsAreChecked) {
  for (int i = 0; i < 50; ++i) {
    const std::string mac = random_mac();
    ASSERT_TRUE(normalize_mac(mac).ok()) << mac;
    EXPECT_EQ(std::stoi(mac.substr(0, 2), nullptr, 16) & 3, 2) << mac;
  }
  EXPECT_EQ(*normalize_mac("02-42-AC-11-00-02"), "02:42:ac:11:00:02");
  for (const char* bad :
       {"", "02:42:ac:11:00", "02:42:ac:11:00:2", "02:42:ac:11:00:0g", "01:42:ac:11:00:02",
        "02:42:ac:11:00:02:03", "0242ac110002", "02::42:ac:11:00"}) {
    EXPECT_FALSE(normalize_mac(bad).ok()) << bad;
  }
}

TEST(Ports, NextFreeWrapsAndEnds) {
  EXPECT_EQ(*next_free_port(3000, 3002, 3000, {}), 3000);
  EXPECT_EQ(*next_free_port(3000, 3002, 3002, {3002}), 3000);
  EXPECT_EQ(*next_free_port(3000, 3002, 0, {3000}), 3001);
  EXPECT_EQ(next_free_port(3000, 3002, 3001, {3000, 3001, 3002}).error().message,
            "all ports are allocated");
}

}  // namespace
}  // namespace stack::netd
