// Every row of the table of rules (what a query at 127.0.0.11 gets).
#include "netd/names.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stack::netd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::uint16_t kA = 1, kAaaa = 28, kMx = 15, kPtr = 12;

NameEndpoint on(const std::string& network, const std::string& ip, std::vector<std::string> names,
                const std::string& ipv6 = "") {
  return {"id-" + network, "proj_" + network, ip, ipv6, std::move(names)};
}

class Names : public ::testing::Test {
 protected:
  void SetUp() override {
    table.set({"web1",
               "proj-web-1",
               {on("front", "10.0.0.2", {"web", "proj-web-1", "abcabcabcabc", "www", "Host1"})}});
    table.set({"web2", "proj-web-2", {on("front", "10.0.0.3", {"web", "proj-web-2", "www"})}});
    table.set({"db1",
               "proj-db-1",
               {on("back", "10.0.1.2", {"db", "proj-db-1", "int-alias"}),
                on("front", "10.0.0.9", {"db", "proj-db-1"})}});
    table.set({"cache", "cache", {on("back", "10.0.1.3", {"cache"}, "fd00::3")}});
    ContainerNames app{
        "app", "proj-app-1", {on("back", "10.0.1.4", {"app"}), on("front", "10.0.0.4", {"app"})}};
    app.links = {{"store", "db1"}, {"db-1", "proj-db-1"}, {"ghost", "nobody"}};
    table.set(app);
    ContainerNames hidden{"hidden", "hidden", {on("secret", "10.0.2.2", {"hidden"})}};
    hidden.internal_only = true;
    table.set(hidden);
  }

  std::vector<std::string> ask(const std::string& asker, const std::string& name,
                               std::uint16_t type = kA) {
    const Answer a = table.answer(name, type, asker);
    if (a.kind == Answer::Kind::kForward) return {"forward"};
    if (a.kind == Answer::Kind::kServfail) return {"servfail"};
    std::vector<std::string> out;
    for (const std::string& r : a.records) {
      char text[64];
      if (type == kPtr) {
        out.push_back(r);
      } else {
        out.push_back(::inet_ntop(r.size() == 4 ? AF_INET : AF_INET6, r.data(), text, sizeof text));
      }
    }
    return out;
  }
  NameTable table;
};

TEST_F(Names, ServiceContainerIdAliasHostnameAndQualified) {
  for (const char* name : {"proj-web-1", "abcabcabcabc", "host1", "HOST1", "proj-web-1.proj_front",
                           "ABCabcabcabc.PROJ_FRONT"}) {
    EXPECT_THAT(ask("web2", name), ElementsAre("10.0.0.2")) << name;
  }
}

TEST_F(Names, ReplicasAndSharedAliasesGiveAllRecords) {
  EXPECT_THAT(ask("web1", "web"), UnorderedElementsAre("10.0.0.2", "10.0.0.3"));
  EXPECT_THAT(ask("web1", "www"), UnorderedElementsAre("10.0.0.2", "10.0.0.3"));
  EXPECT_THAT(ask("web1", "web.proj_front"), UnorderedElementsAre("10.0.0.2", "10.0.0.3"));
}

TEST_F(Names, FirstNetworkThatKnowsTheNameAnswers) {
  EXPECT_THAT(ask("app", "db"), ElementsAre("10.0.1.2"));
  EXPECT_THAT(ask("app", "db.proj_front"), ElementsAre("10.0.0.9"));
  EXPECT_THAT(ask("app", "web"), UnorderedElementsAre("10.0.0.2", "10.0.0.3"));
}

TEST_F(Names, LinksAreTheLinkersAlone) {
  EXPECT_THAT(ask("app", "store"), ElementsAre("10.0.1.2"));
  EXPECT_THAT(ask("app", "STORE", kAaaa), IsEmpty());
  EXPECT_THAT(ask("app", "db-1"), ElementsAre("10.0.1.2"));
  EXPECT_THAT(ask("web1", "store"), ElementsAre("forward"));
  EXPECT_THAT(ask("app", "ghost"), ElementsAre("forward"));
  // The target comes back with another address, under another id.
  table.remove("db1");
  EXPECT_THAT(ask("app", "db-1"), ElementsAre("forward"));
  table.set({"db2", "proj-db-1", {on("back", "10.0.1.77", {"db", "proj-db-1"})}});
  EXPECT_THAT(ask("app", "db-1"), ElementsAre("10.0.1.77"));
}

TEST_F(Names, WrongFamilyAndMxAreEmpty) {
  EXPECT_THAT(ask("web1", "web", kAaaa), IsEmpty());
  EXPECT_THAT(ask("web1", "web", kMx), IsEmpty());
  EXPECT_THAT(ask("app", "cache", kAaaa), ElementsAre("fd00::3"));
  EXPECT_THAT(ask("app", "cache"), ElementsAre("10.0.1.3"));
}

TEST_F(Names, OtherTypesAndUnknownNamesAreForwarded) {
  for (const int type : {16, 33, 255, 6, 5, 2, 65})
    EXPECT_THAT(ask("web1", "web", static_cast<std::uint16_t>(type)), ElementsAre("forward"));
  EXPECT_THAT(ask("web1", "example.org"), ElementsAre("forward"));
  EXPECT_THAT(ask("web1", ""), ElementsAre("forward"));
  EXPECT_THAT(ask("web1", "example.org", kMx), ElementsAre("forward"));
}

TEST_F(Names, ReverseLookupOfPeers) {
  EXPECT_THAT(ask("web1", "3.0.0.10.in-addr.arpa", kPtr), ElementsAre("proj-web-2.proj_front"));
  EXPECT_THAT(ask("web1", "2.1.0.10.IN-ADDR.ARPA", kPtr),
              ElementsAre("forward"));  // of another network
  EXPECT_THAT(ask("app", "2.1.0.10.in-addr.arpa", kPtr), ElementsAre("proj-db-1.proj_back"));
  EXPECT_THAT(
      ask("app", "3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", kPtr),
      ElementsAre("cache.proj_back"));
  for (const char* bad :
       {"0.0.10.in-addr.arpa", "in-addr.arpa", ".in-addr.arpa", "1.2.3.4.5.in-addr.arpa",
        "999.0.0.10.in-addr.arpa", "x.ip6.arpa", "web"}) {
    EXPECT_THAT(ask("web1", bad, kPtr), ElementsAre("forward")) << bad;
  }
}

TEST_F(Names, OtherNetworksAreInvisible) {
  EXPECT_THAT(ask("web1", "int-alias"), ElementsAre("forward"));
  EXPECT_THAT(ask("web1", "cache"), ElementsAre("forward"));
  EXPECT_THAT(ask("web1", "db"), ElementsAre("10.0.0.9"));
}

TEST_F(Names, InternalOnlyNeverForwards) {
  EXPECT_THAT(ask("hidden", "example.org"), ElementsAre("servfail"));
  EXPECT_THAT(ask("hidden", "hidden", 16), ElementsAre("servfail"));
  EXPECT_THAT(ask("hidden", "1.1.1.1.in-addr.arpa", kPtr), ElementsAre("servfail"));
  EXPECT_THAT(ask("hidden", "hidden"), ElementsAre("10.0.2.2"));
}

TEST_F(Names, StoppedContainersVanishAndReplacedOnesMove) {
  table.remove("web2");
  EXPECT_THAT(ask("web1", "web"), ElementsAre("10.0.0.2"));
  EXPECT_THAT(ask("web1", "3.0.0.10.in-addr.arpa", kPtr), ElementsAre("forward"));
  table.set({"web1", "proj-web-1", {on("front", "10.0.0.55", {"web"})}});
  EXPECT_THAT(ask("web1", "web"), ElementsAre("10.0.0.55"));
  EXPECT_THAT(ask("web1", "www"), ElementsAre("forward"));
  EXPECT_THAT(ask("nobody", "web"), ElementsAre("servfail"));
  table.remove("nobody");
  table.clear();
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace stack::netd
