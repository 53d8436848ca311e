// Rules of containers that need no container: links, updates, options of volumes.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "engine/api/web_socket.h"
#include "engine/container_links.h"
#include "engine/container_start.h"
#include "engine/containers.h"
#include "engine/volume_mount.h"

namespace stack::engine {
namespace {

Container database() {
  Container c;
  c.id = std::string(64, 'd');
  c.name = "database";
  c.config.env = {"PATH=/bin", "PASSWORD=x"};
  c.config.exposed_ports = {"5432/tcp", "53/udp"};
  return c;
}

TEST(Links, AreParsed) {
  EXPECT_EQ(Link::parse("database:db").target, "database");
  EXPECT_EQ(Link::parse("/database:/web/db").alias, "db");
  EXPECT_EQ(Link::parse("database").alias, "database");
}

TEST(Links, SetDockersVariables) {
  const auto env = link_environment("web", database(), "my-db", "172.17.0.2");
  const std::vector<std::string> expected = {"MY_DB_NAME=/web/my-db",
                                             "MY_DB_PORT=udp://172.17.0.2:53",
                                             "MY_DB_PORT_53_UDP=udp://172.17.0.2:53",
                                             "MY_DB_PORT_53_UDP_ADDR=172.17.0.2",
                                             "MY_DB_PORT_53_UDP_PORT=53",
                                             "MY_DB_PORT_53_UDP_PROTO=udp",
                                             "MY_DB_PORT_5432_TCP=tcp://172.17.0.2:5432",
                                             "MY_DB_PORT_5432_TCP_ADDR=172.17.0.2",
                                             "MY_DB_PORT_5432_TCP_PORT=5432",
                                             "MY_DB_PORT_5432_TCP_PROTO=tcp",
                                             "MY_DB_ENV_PASSWORD=x"};
  EXPECT_EQ(env, expected);
}

TEST(Links, KeepTheHostsFileTrue) {
  const std::string line = link_host_line(database(), "db", "172.17.0.2");
  EXPECT_EQ(line, "172.17.0.2\tdb dddddddddddd database");
  const std::string before = "127.0.0.1\tlocalhost\n172.17.0.9\tdb old database\n";
  EXPECT_EQ(replace_host_line(before, "db", line), "127.0.0.1\tlocalhost\n" + line + "\n");
  EXPECT_EQ(replace_host_line(before, "db", ""), "127.0.0.1\tlocalhost\n");
}

TEST(Update, ChangesWhatItNames) {
  ResourceLimits now;
  now.memory = 1 << 30;
  now.pids_limit = 10;
  ResourceLimits wanted;
  wanted.memory = 1 << 29;
  wanted.nano_cpus = 5;
  const auto merged = merge_limits(now, wanted);
  EXPECT_EQ(merged.memory, 1 << 29);
  EXPECT_EQ(merged.nano_cpus, 5);
  EXPECT_EQ(merged.pids_limit, 10);
}

TEST(VolumeOptions, AreChecked) {
  EXPECT_TRUE(check_volume_options({}).ok());
  EXPECT_TRUE(
      check_volume_options({{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m"}}).ok());
  EXPECT_EQ(check_volume_options({{"nosuch", "1"}}).error().message, "invalid option: \"nosuch\"");
  EXPECT_EQ(check_volume_options({{"type", "nfs"}}).error().message,
            "missing required option: \"device\"");
}

TEST(VolumeOptions, BecomeArgumentsOfMount) {
  const auto arguments = mount_arguments("ro,nosuid,addr=192.0.2.1,vers=4");
  EXPECT_EQ(arguments.flags, static_cast<unsigned long>(MS_RDONLY | MS_NOSUID));
  EXPECT_EQ(arguments.data, "addr=192.0.2.1,vers=4");
  EXPECT_EQ(bound_directory({{"type", "none"}, {"o", "bind"}, {"device", "/srv"}}), "/srv");
  EXPECT_EQ(bound_directory({{"type", "tmpfs"}, {"device", "tmpfs"}}), "");
}

TEST(WebSocket, LosesDockersFramesWhereverTheyAreCut) {
  const std::string framed =
      std::string("\1\0\0\0\0\0\0\5hello", 13) + std::string("\2\0\0\0\0\0\0\2ab", 10);
  for (std::size_t cut = 1; cut < framed.size(); ++cut) {
    api::FrameStripper frames;
    std::string out = frames.feed(framed.substr(0, cut));
    out += frames.feed(framed.substr(cut));
    EXPECT_EQ(out, "helloab");
  }
}

TEST(Senders, AreTheInterfacesWithTheirAddresses) {
  Container c = database();
  c.endpoints.resize(2);
  c.endpoints[0].host_veth = "stv1";
  c.endpoints[0].mac = "02:42:ac:11:00:02";
  c.endpoints[0].ipv4 = "172.17.0.2";
  c.endpoints[1].host_veth = "stv2";  // without an address: not started
  c.endpoints[1].mac = "02:42:ac:11:00:03";
  const std::vector<netd::Sender> expected = {{"stv1", "02:42:ac:11:00:02", "172.17.0.2", "", {}}};
  EXPECT_EQ(senders_of(c), expected);
}

TEST(Senders, WhoConfiguresInterfacesIsNotHeldToThem) {
  Container c = database();
  c.endpoints.resize(1);
  c.endpoints[0] = Endpoint{};
  c.endpoints[0].mac = "02:42:ac:11:00:02";
  c.endpoints[0].ipv4 = "172.17.0.2";
  ASSERT_EQ(senders_of(c).size(), 1u);
  for (const char* capability : {"NET_ADMIN", "CAP_NET_ADMIN", "ALL"}) {
    c.config.cap_add = {capability};
    EXPECT_TRUE(senders_of(c).empty()) << capability;
  }
  c.config.cap_add.clear();
  c.config.privileged = true;
  EXPECT_TRUE(senders_of(c).empty());
}

}  // namespace
}  // namespace stack::engine
