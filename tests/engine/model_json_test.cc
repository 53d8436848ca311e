#include "engine/model_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stack::engine {
namespace {

MountConfig mount_of(const char* type, const char* source, const char* target) {
  MountConfig mount;
  mount.type = type;
  mount.source = source;
  mount.target = target;
  return mount;
}

ContainerConfig everything() {
  ContainerConfig c;
  c.image = "nginx:1.27";
  c.cmd = std::vector<std::string>{"nginx", "-g", "daemon off;"};
  c.entrypoint = std::vector<std::string>{};
  c.env = {"A=b", "EMPTY=", "UNSET"};
  c.working_dir = "/srv";
  c.user = "1000:1000";
  c.hostname = "web";
  c.domainname = "example.org";
  c.mac_address = "02:42:ac:11:00:02";
  c.labels = {{"com.docker.compose.project", "demo"}, {"x", ""}};
  c.exposed_ports = {"80/tcp"};
  c.volumes = {"/anon"};
  c.tty = c.open_stdin = c.stdin_once = c.attach_stdin = true;
  c.stop_signal = "SIGINT";
  c.stop_timeout = 0;
  c.healthcheck = HealthcheckConfig{{"CMD-SHELL", "true"},          std::chrono::seconds(5),
                                    std::chrono::seconds(1),        std::chrono::seconds(30),
                                    std::chrono::milliseconds(500), 4};
  MountConfig bind = mount_of("bind", "/srv/a", "/a");
  bind.read_only = true;
  bind.propagation = "rshared";
  bind.create_host_path = true;
  MountConfig strict = mount_of("bind", "/srv/b", "/b");
  strict.recursive = false;
  MountConfig volume = mount_of("volume", "data", "/data");
  volume.no_copy = true;
  volume.subpath = "sub/dir";
  volume.volume_labels = {{"k", "v"}};
  volume.volume_driver = "local";
  volume.driver_options = {{"type", "tmpfs"}};
  MountConfig tmpfs = mount_of("tmpfs", "", "/t");
  tmpfs.tmpfs_options = "size=10m,mode=1777";
  MountConfig sized = mount_of("tmpfs", "", "/t2");
  sized.tmpfs_size = 1 << 20;
  sized.tmpfs_mode = 01770;
  MountConfig anonymous = mount_of("volume", "", "/v");
  c.mounts = {tmpfs, bind, volume, strict, sized, anonymous};
  c.volumes_from = {"other:ro"};
  c.ports = {
      {443, "udp", "127.0.0.1", "8443"}, {80, "tcp", "", "8000-8010"}, {80, "tcp", "::1", ""}};
  c.publish_all_ports = true;
  c.network_mode = "demo_default";
  c.restart_policy = "on-failure";
  c.restart_max_retries = 3;
  c.privileged = c.read_only = true;
  c.init = false;
  c.cap_add = {"NET_ADMIN"};
  c.cap_drop = {"ALL"};
  c.dns = {"1.1.1.1"};
  c.dns_options = {"ndots:1"};
  c.dns_search = {"example.org"};
  c.extra_hosts = {"host:10.0.0.1"};
  c.group_add = {"5"};
  c.links = {"db:database"};
  c.security_opt = {"no-new-privileges"};
  c.device_cgroup_rules = {"c 1:3 rwm"};
  c.masked_paths = std::vector<std::string>{};
  c.readonly_paths = std::vector<std::string>{"/proc/sys"};
  c.ipc_mode = "shareable";
  c.pid_mode = "host";
  c.cgroupns_mode = "private";
  c.cgroup_parent = "/x";
  c.sysctls = {{"net.core.somaxconn", "1024"}};
  c.annotations = {{"a", "b"}};
  c.isolation = "default";
  c.volume_driver = "local";
  c.storage_options = {{"size", "10G"}};
  c.ulimits = {{"nofile", 100, 200}};
  c.devices = {{"/dev/null", "/dev/nn", "r"}};
  c.resources.memory = 64 << 20;
  c.resources.memory_swap = -1;
  c.resources.memory_swappiness = 10;
  c.resources.nano_cpus = 500'000'000;
  c.resources.cpuset_cpus = "0-1";
  c.resources.pids_limit = 50;
  c.resources.blkio_weight = 300;
  c.shm_size = 1 << 20;
  c.oom_score_adj = -500;
  c.log = {"json-file", {{"max-size", "1m"}}};
  EndpointConfig endpoint;
  endpoint.aliases = {"web", "www"};
  endpoint.links = {"db:database"};
  endpoint.ipv4 = "172.20.0.9";
  endpoint.ipv6 = "fd00::9";
  endpoint.mac = "02:42:ac:11:00:03";
  endpoint.gateway_priority = 7;
  endpoint.interface_name = "net7";
  endpoint.driver_options = {{"a", "b"}};
  c.networks = {{"demo_back", {}}, {"demo_default", endpoint}};
  return c;
}

TEST(CreateBody, RoundTripsEverything) {
  const auto config = everything();
  const auto parsed = parse_container_config(to_create_body(config));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_TRUE(*parsed == config) << to_create_body(*parsed) << "\n" << to_create_body(config);
}

TEST(CreateBody, RoundTripsDefaults) {
  const auto parsed = parse_container_config(to_create_body({}));
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(*parsed == ContainerConfig{});
}

// What `docker create` sends, with its null rules, shortened.
TEST(CreateBody, ReadsWhatTheDockerClientSends) {
  const auto parsed =
      parse_container_config(R"({"Hostname":"","AttachStdout":true,"AttachStderr":true,
    "ExposedPorts":{"443/udp":{},"80/tcp":{}},"Env":null,"Cmd":null,"Entrypoint":[""],"Image":"box","Volumes":{"/anon":{}},
    "Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000},"Labels":{},"StopTimeout":3,
    "HostConfig":{"Binds":["vol:/d","/tmp:/host:ro,rslave","v2:/v2:nocopy,z"],"LogConfig":{"Type":"","Config":{}},
      "NetworkMode":"","PortBindings":{"443/udp":[{"HostIp":"127.0.0.1","HostPort":"8443"}],"80/tcp":[]},
      "RestartPolicy":{"Name":"always","MaximumRetryCount":0},"MemorySwappiness":-1,"PidsLimit":null,"Init":true,
      "Tmpfs":{"/tt":"size=10m"},"Devices":[{"PathOnHost":"/dev/null"}],"ConsoleSize":[0,0],
      "Mounts":[{"Type":"tmpfs","Target":"/t2","TmpfsOptions":{"SizeBytes":1000}},
                {"Type":"bind","Source":"/tmp","Target":"/b/","ReadOnly":true}]},
    "NetworkingConfig":{"EndpointsConfig":{"net":{"IPAMConfig":null,"Links":null,"Aliases":["al"],"DNSNames":null}}}})");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->entrypoint, std::vector<std::string>{});
  EXPECT_FALSE(parsed->cmd.has_value());
  EXPECT_EQ(parsed->network_mode, "default");
  EXPECT_EQ(parsed->log.driver, "json-file");
  ASSERT_EQ(parsed->mounts.size(), 6U);
  EXPECT_EQ(parsed->mounts[0].type, "volume");
  EXPECT_EQ(parsed->mounts[1].type, "bind");
  EXPECT_TRUE(parsed->mounts[1].read_only);
  EXPECT_TRUE(parsed->mounts[1].create_host_path);
  EXPECT_EQ(parsed->mounts[1].propagation, "rslave");
  EXPECT_TRUE(parsed->mounts[2].no_copy);
  EXPECT_EQ(parsed->mounts[3].tmpfs_size, 1000);
  EXPECT_EQ(parsed->mounts[4].target, "/b");
  EXPECT_FALSE(parsed->mounts[4].create_host_path);
  EXPECT_EQ(parsed->mounts[5].tmpfs_options, "size=10m");
  EXPECT_FALSE(parsed->resources.memory_swappiness.has_value());
  EXPECT_EQ(parsed->devices.at(0).container, "/dev/null");
  EXPECT_EQ(parsed->devices.at(0).permissions, "rwm");
  ASSERT_EQ(parsed->ports.size(), 2U);
  EXPECT_EQ(parsed->ports[0].host_port, "8443");
  EXPECT_EQ(parsed->ports[1].host_port, "");
  EXPECT_EQ(parsed->networks.at("net").aliases, std::vector<std::string>{"al"});
  EXPECT_EQ(parsed->healthcheck->interval, std::chrono::seconds(5));
}

// Go reads members in any case, so some clients write them as they like; the exact one goes first.
TEST(CreateBody, ReadsMembersInAnyCase) {
  const auto config = parse_container_config(
      R"({"image":"busybox","TTY":true,"tty":false,"Tty":true,"hostconfig":{"autoremove":true}})");
  ASSERT_TRUE(config.ok()) << config.error().to_string();
  EXPECT_EQ(config->image, "busybox");
  EXPECT_TRUE(config->tty);
  EXPECT_TRUE(config->auto_remove);
}

TEST(CreateBody, RefusesWithDockersTexts) {
  const auto message = [](const std::string& body) {
    const auto parsed = parse_container_config(body);
    return parsed.ok() ? std::string("accepted") : parsed.error().message;
  };
  EXPECT_THAT(message("{"), testing::StartsWith("invalid JSON: "));
  EXPECT_THAT(message("[]"), testing::StartsWith("invalid JSON: "));
  EXPECT_THAT(message(R"({"Cmd":7})"), testing::StartsWith("invalid JSON: "));
  EXPECT_EQ(message(R"({"HostConfig":{"Memory":1000}})"), "Minimum memory limit allowed is 6MB");
  EXPECT_EQ(message(R"({"HostConfig":{"Binds":["a"]}})"),
            "invalid volume specification: 'a': invalid mount config for type \"volume\": invalid "
            "mount path: 'a' mount path must be absolute");
  EXPECT_EQ(message(R"({"HostConfig":{"Binds":["/a:/b:what"]}})"), "invalid mode: what");
  EXPECT_EQ(message(R"({"HostConfig":{"Binds":["/a:/b","/c:/b"]}})"), "Duplicate mount point: /b");
  EXPECT_EQ(message(R"({"HostConfig":{"PortBindings":{"99999/tcp":null}}})"),
            "invalid port specification: \"99999\"");
  EXPECT_EQ(message(R"({"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"x"}]}}})"),
            "invalid port specification: \"x\"");
  EXPECT_EQ(message(R"({"HostConfig":{"RestartPolicy":{"Name":"sometimes"}}})"),
            "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', "
            "'on-failure', or "
            "'unless-stopped'");
  EXPECT_EQ(message(R"({"HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}})"),
            "can't create 'AutoRemove' container with restart policy");
  EXPECT_EQ(message(R"({"Healthcheck":{"Test":["CMD","x"],"Interval":5}})"),
            "Interval in Healthcheck cannot be less than 1ms");
  EXPECT_EQ(message(R"({"Hostname":"h","HostConfig":{"NetworkMode":"container:x"}})"),
            "conflicting options: hostname and the network mode");
}

TEST(NetworkBody, RoundTrips) {
  NetworkConfig config;
  config.name = "front";
  config.internal = config.attachable = config.enable_ipv6 = true;
  config.ipam = {{"10.9.0.0/16", "10.9.0.1", "10.9.1.0/24", {{"router", "10.9.0.2"}}},
                 {"fd01::/64", "", "", {}, false}};
  config.options = {{"com.docker.network.bridge.name", "br9"}};
  config.labels = {{"a", "b"}};
  const auto parsed = parse_network_config(to_network_body(config));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(to_network_body(*parsed), to_network_body(config));
  EXPECT_EQ(parsed->ipam, config.ipam);
  EXPECT_FALSE(parse_network_config("{}").ok());
}

TEST(Records, ContainerRoundTrips) {
  Container c;
  c.id = std::string(64, 'a');
  c.name = "demo-web-1";
  c.config = everything();
  // Merged with the image, a configuration may be what a client could not ask for.
  c.config.network_mode = "container:" + std::string(64, 'b');
  c.image_id = "sha256:1";
  c.path = "nginx";
  c.args = {"-g"};
  c.created = WallTime(std::chrono::nanoseconds(1'700'000'000'123'456'789));
  c.status = RunState::kRestarting;
  c.exit_code = 137;
  c.oom_killed = true;
  c.error = "no such file";
  c.started_at = WallTime(std::chrono::nanoseconds(1'700'000'001'000'000'001));
  c.restart_count = 4;
  c.manually_stopped = true;
  c.restart_reason = "unhealthy";
  c.health = {HealthStatus::kUnhealthy, 3, {{c.created, *c.started_at, 1, "bad \xff byte"}}};
  Endpoint endpoint;
  endpoint.id = "e";
  endpoint.network_id = "n";
  endpoint.network_name = "demo_default";
  endpoint.config = c.config.networks.at("demo_default");
  endpoint.ipv4 = "172.20.0.9";
  endpoint.prefix4 = 16;
  endpoint.gateway4 = "172.20.0.1";
  endpoint.host_veth = "veth1";
  c.endpoints = {endpoint};
  c.mounts = {{c.config.mounts[1], "", "/srv/a", false},
              {c.config.mounts[2], "data", "/v/data/_data", true}};
  c.ports = {{80, 8000, "tcp", "0.0.0.0"}};
  const auto parsed = parse_container_record(to_record(c));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(to_record(*parsed), to_record(c));
  EXPECT_TRUE(parsed->config == c.config);
  EXPECT_EQ(parsed->created, c.created);
  EXPECT_EQ(parsed->started_at, c.started_at);
  EXPECT_FALSE(parsed->finished_at.has_value());
  EXPECT_EQ(parsed->status, RunState::kRestarting);
  EXPECT_EQ(parsed->mounts.at(1).volume, "data");
  EXPECT_TRUE(parsed->mounts.at(1).config == c.config.mounts[2]);
  EXPECT_TRUE(parsed->endpoints.at(0).config == endpoint.config);
  EXPECT_EQ(parsed->ports.at(0).host_port, 8000);
  EXPECT_EQ(parsed->health.log.at(0).exit_code, 1);
}

TEST(Records, NetworkAndVolumeRoundTrip) {
  Network network;
  network.id = "n1";
  network.config.name = "front";
  network.created = WallTime(std::chrono::nanoseconds(5));
  network.bridge = "stk-1";
  network.bridge_by_user = true;
  network.predefined = true;
  const auto parsed = parse_network_record(to_record(network));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(to_record(*parsed), to_record(network));
  EXPECT_EQ(parsed->bridge, "stk-1");
  EXPECT_TRUE(parsed->bridge_by_user);
  Volume volume{"data",
                "local",
                "/x/_data",
                {{"o", "bind"}},
                {{"l", "1"}},
                true,
                WallTime(std::chrono::nanoseconds(7))};
  const auto volume_parsed = parse_volume_record(to_record(volume));
  ASSERT_TRUE(volume_parsed.ok());
  EXPECT_EQ(to_record(*volume_parsed), to_record(volume));
  EXPECT_TRUE(volume_parsed->anonymous);
}

}  // namespace
}  // namespace stack::engine
