// The pure parts: users, capabilities, specifications, limits as file contents, log records, exit
// code rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/files.h"
#include "runtime/capabilities.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_files.h"
#include "runtime/container.h"
#include "runtime/default_spec.h"
#include "runtime/launch_plan.h"
#include "runtime/log_reader.h"
#include "runtime/log_record.h"
#include "runtime/plan_view.h"
#include "runtime/spec_parts.h"
#include "runtime/user.h"

namespace stack::runtime {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kPasswd =
    "# "
    "comment\nroot:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n33:x:700:701::/"
    "digits:\nwww:x:33:34::/var/www:\n";
constexpr std::string_view kGroup =
    "root:x:0:\naudio:x:29:app\napp:x:1000:\nextra:x:77:x,app,www\n";

struct Who {
  UserError error;
  std::uint32_t uid, gid;
  std::vector<std::uint32_t> groups;
  std::string home;
};
Who who(std::string_view user) {
  static ResolvedUser r;
  std::string_view subject;
  const UserError error = resolve_user(user, kPasswd, kGroup, &r, &subject);
  return {error,
          r.uid,
          r.gid,
          {r.groups.begin(), r.groups.begin() + static_cast<long>(r.group_count)},
          std::string(r.home)};
}

TEST(User, DockersRules) {
  EXPECT_EQ(who("").home, "/root");
  EXPECT_THAT(who("").groups, ElementsAre(0U));
  EXPECT_EQ(who("app").uid, 1000U);
  EXPECT_THAT(who("app").groups, ElementsAre(1000U, 29U, 77U));
  EXPECT_EQ(who("33").uid, 700U);  // a name of digits goes before the number
  EXPECT_EQ(who("1000").gid, 1000U);
  EXPECT_EQ(who("12345").gid, 0U);
  EXPECT_EQ(who("12345").home, "/");
  EXPECT_THAT(who("app:audio").groups, ElementsAre(29U));
  EXPECT_EQ(who("app:12").gid, 12U);
  EXPECT_EQ(who(":5").gid, 5U);
  EXPECT_EQ(who("ghost").error, UserError::kNoUser);
  EXPECT_EQ(who("app:ghost").error, UserError::kNoGroup);
  EXPECT_EQ(who("4294967296").error, UserError::kRange);
}

TEST(Capabilities, AddAndDrop) {
  const CapabilityMask all = (CapabilityMask{1} << 41U) - 1;
  const auto caps = [&](std::vector<std::string> add, std::vector<std::string> drop,
                        bool privileged = false) {
    return docker_capabilities(add, drop, privileged, all).value();
  };
  EXPECT_EQ(caps({}, {}), kDefaultCapabilities);
  EXPECT_EQ(caps({"net_admin"}, {}), 0xa80435fbU);
  EXPECT_EQ(caps({"CAP_SYS_ADMIN"}, {}), 0xa82425fbU);
  EXPECT_EQ(caps({}, {"ALL"}), 0U);
  EXPECT_EQ(caps({"NET_BIND_SERVICE"}, {"all"}), 0x400U);
  EXPECT_EQ(caps({"ALL"}, {"CHOWN"}), all & ~CapabilityMask{1});
  EXPECT_EQ(caps({}, {"ALL"}, true), all);
  EXPECT_EQ(docker_capabilities({"FOO"}, {}, false, all).error().message,
            "invalid CapAdd: unknown capability: \"CAP_FOO\"");
  EXPECT_EQ(mask_of(names_of(all)), all);
}

TEST(Spec, RoundTrip) {
  ContainerOptions o;
  o.id = std::string(64, 'a');
  o.args = {"sh", "-c", "x"};
  o.user = "app:audio";
  o.group_add = {"29"};
  o.tmpfs["/t"] = "size=1m";
  o.resources.memory_limit = 1 << 26;
  o.resources.blkio_weight = 300;
  o.sysctls["net.core.somaxconn"] = "1";
  o.ulimits = {{"nofile", 10, 20}};
  Host host;
  host.capabilities = kDefaultCapabilities;
  auto spec = default_spec(o, host);
  ASSERT_TRUE(spec.ok()) << spec.error().to_string();
  const auto again = parse_spec(to_json(*spec));
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_TRUE(*again == *spec);
  EXPECT_EQ(spec->hostname, "aaaaaaaaaaaa");
  EXPECT_EQ(spec->linux_.cgroups_path, "/stack/" + o.id);
  EXPECT_EQ(find_namespace(*spec, NamespaceType::kCgroup), nullptr);
  EXPECT_FALSE(parse_spec("[]").ok());
  EXPECT_FALSE(parse_spec(R"({"ociVersion":"2.0"})").ok());
}

TEST(DefaultSpec, Refusals) {
  Host host;
  host.cpus = 2;
  const auto refuse = [&](auto&& change) {
    ContainerOptions o;
    o.id = "x";
    change(o);
    auto spec = default_spec(o, host);
    return spec.ok() ? std::string("accepted") : spec.error().message;
  };
  EXPECT_EQ(refuse([](auto& o) { o.resources.memory_limit = 1 << 20; }),
            "Minimum memory limit allowed is 6MB");
  EXPECT_EQ(refuse([](auto& o) { o.resources.cpu_quota = 9900000; }),
            "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available");
  EXPECT_EQ(refuse([](auto& o) { o.resources.cpuset_cpus = "9"; }),
            "Requested CPUs are not available - requested 9, available: 0-1");
  EXPECT_EQ(refuse([](auto& o) { o.cwd = "rel"; }),
            "the working directory 'rel' is invalid, it needs to be an absolute path");
  EXPECT_EQ(refuse([](auto& o) { o.tmpfs["/t"] = "foo"; }), "invalid tmpfs option \"foo\"");
  EXPECT_EQ(refuse([](auto& o) { o.sysctls["vm.swappiness"] = "1"; }),
            "sysctl 'vm.swappiness' is not allowed");
  EXPECT_EQ(
      refuse([](auto& o) {
        o.mounts.push_back({MountKind::kBind, "/x", "/", false, "", {}, 0, {}});
      }),
      "invalid mount config for type \"bind\": invalid specification: destination can't be '/'");
  EXPECT_EQ(refuse([](auto& o) {
              o.devices.push_back({"/dev/none", "", "rwm"});
            }),
            "error gathering device information while adding custom device \"/dev/none\": no such "
            "file or directory");
  EXPECT_EQ(v1_device_line(parse_device_rule("c 42:* rwm").value()), "c 42:* rwm");
  EXPECT_FALSE(parse_device_rule("x 1:1 r").ok());
}

TEST(Cgroup, Values) {
  Resources r;
  r.cpu_quota = 150000;
  r.cpu_period = 100000;
  r.memory_limit = 64 << 20;
  r.pids_limit = 99;
  EXPECT_THAT(v1_writes(r, false),
              ElementsAre(CgroupWrite{"cpu", "cpu.cfs_period_us", "100000"},
                          CgroupWrite{"cpu", "cpu.cfs_quota_us", "150000"},
                          CgroupWrite{"memory", "memory.limit_in_bytes", "67108864"},
                          CgroupWrite{"memory", "memory.memsw.limit_in_bytes", "134217728"},
                          CgroupWrite{"pids", "pids.max", "99"}));
  EXPECT_EQ(v1_writes(r, true)[2].file, "memory.memsw.limit_in_bytes");
  EXPECT_THAT(v2_writes(r).value(), ElementsAre(CgroupWrite{"", "cpu.max", "150000 100000"},
                                                CgroupWrite{"", "memory.swap.max", "67108864"},
                                                CgroupWrite{"", "memory.max", "67108864"},
                                                CgroupWrite{"", "pids.max", "99"}));
  EXPECT_EQ(cpu_weight_from_shares(1024), 100U);
  EXPECT_EQ(cpu_weight_from_shares(512), 59U);
  EXPECT_EQ(cpu_weight_from_shares(2), 1U);
  EXPECT_EQ(cpu_weight_from_shares(262144), 10000U);
  const auto mounts = parse_cgroup_mounts(
      "30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "31 24 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n");
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_THAT(mounts[0].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_THAT(mounts[1].controllers, ElementsAre("name=systemd"));
  EXPECT_TRUE(mounts[2].v2);
}

std::string escaped(std::string_view text) {
  std::string out(text.size() * 6 + 64, '\0');
  out.resize(escape_log_text(text, out.data()));
  return out;
}

TEST(LogRecord, ByteForByte) {
  EXPECT_EQ(escaped("a\"b\\c\n\r\t\x1b<>&\x7f"),
            "a\\\"b\\\\c\\n\\r\\u0009\\u001b\\u003c\\u003e\\u0026\x7f");
  EXPECT_EQ(escaped("\xc3\xa9\xff\xe2\x80\xa8\xe2\x80\xa9\xed\xa0\x80"),
            "\xc3\xa9\\ufffd\\u2028\\u2029\\ufffd\\ufffd\\ufffd");
  EXPECT_EQ(escaped("0123456789abcdef0123456789\nabcdef"), "0123456789abcdef0123456789\\nabcdef");
  LogTime time;
  time.set(1795546972, 189688397);
  EXPECT_EQ(time.text(), "2026-11-24T19:02:52.189688397Z");
  time.set(1795546972, 546191400);
  EXPECT_EQ(time.text(), "2026-11-24T19:02:52.5461914Z");
  time.set(951782400, 0);
  EXPECT_EQ(time.text(), "2000-02-29T00:00:00Z");
  char out[256];
  EXPECT_EQ(std::string(out, encode_log_record("x\n", true, time.text(), out)),
            "{\"log\":\"x\\n\",\"stream\":\"stderr\",\"time\":\"2000-02-29T00:00:00Z\"}\n");
  const auto record = parse_log_record(
      "{\"log\":\"\\u0009\\u003c\\n\",\"stream\":\"stderr\",\"attrs\":{\"a\":\"}\"},\"time\":"
      "\"2026-11-24T19:02:52.5Z\"}");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->text, "\t<\n");
  EXPECT_TRUE(record->is_stderr);
  EXPECT_EQ(rfc3339_nano(record->time), "2026-11-24T19:02:52.500000000Z");
  EXPECT_FALSE(parse_log_record("{\"log\":\"torn"));
}

TEST(LogReader, TailAndRotation) {
  const auto dir = std::filesystem::temp_directory_path() / ("stack-log-" + random_hex(8));
  ASSERT_TRUE(make_directories(dir).ok());
  const auto line = [](int n) {
    return "{\"log\":\"" + std::to_string(n) +
           "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-24T19:00:0" + std::to_string(n) +
           "Z\"}\n";
  };
  const std::string file = (dir / "log").string();
  ASSERT_TRUE(write_file(file + ".1", line(1) + line(2)).ok());
  ASSERT_TRUE(write_file(file, line(3) + line(4)).ok());
  const auto text = [](LogReader& reader) {
    std::string all;
    const auto records = reader.next();
    for (const auto& record : *records) all += record.text;
    return all;
  };
  auto all = LogReader::open(file, {}).value();
  EXPECT_EQ(text(all), "1\n2\n3\n4\n");
  LogQuery query;
  query.tail = 3;
  auto three = LogReader::open(file, query).value();
  EXPECT_EQ(text(three), "2\n3\n4\n");
  query.tail = 0;
  auto none = LogReader::open(file, query).value();
  EXPECT_EQ(text(none), "");
  // Written, rotated and begun anew between two looks.
  ASSERT_TRUE(write_file(file, line(3) + line(4) + line(5)).ok());
  std::filesystem::rename(file, file + ".1");
  ASSERT_TRUE(write_file(file, line(6)).ok());
  EXPECT_EQ(text(none), "5\n6\n");
  query = {};
  query.since = parse_log_record(line(6).substr(0, line(6).size() - 1))->time;
  auto since = LogReader::open(file, query).value();
  EXPECT_EQ(text(since), "6\n");
  query = {};
  query.until = parse_log_record(line(4).substr(0, line(4).size() - 1))->time;
  auto until = LogReader::open(file, query).value();
  EXPECT_EQ(text(until), "3\n4\n");
  EXPECT_TRUE(until.done());
  ASSERT_TRUE(remove_tree(dir).ok());
}

TEST(ExitCodes, ByTheWordsOfTheMessage) {
  EXPECT_EQ(start_exit_code("exec: \"x\": executable file not found in $PATH"), 127);
  EXPECT_EQ(start_exit_code("exec: \"/x\": stat /x: no such file or directory"), 127);
  EXPECT_EQ(start_exit_code("exec: \"/etc/passwd\": permission denied"), 126);
  EXPECT_EQ(start_exit_code("exec: \"/etc\": is a directory: permission denied"), 126);
  EXPECT_EQ(start_exit_code("mount: not a directory: Are you trying"), 127);
  EXPECT_EQ(start_exit_code("sethostname: invalid argument"), 128);
}

TEST(LaunchPlan, RoundTripThroughTheShimsReader) {
  LaunchPlan plan;
  plan.id = "id";
  plan.flags = wire::kTty;
  plan.process.args = {"a", ""};
  plan.process.env = {"K=V"};
  plan.process.seccomp.program = {{6, 0, 0, 1}};
  plan.lowers = {"/l1", "/l2"};
  plan.masked = {"/m"};
  plan.mounts.push_back({wire::kBind, "/t", "/s", "", "", 1, 2, 3});
  const std::string bytes = encode(plan);
  wire::PlanView view;
  ASSERT_TRUE(wire::read_plan(bytes.data(), bytes.size(), &view));
  EXPECT_EQ(view.id, "id");
  EXPECT_EQ(view.process.args.count, 2U);
  EXPECT_STREQ(view.process.args.items.c_str(), "a");
  EXPECT_EQ(view.process.seccomp.size(), 8U);
  wire::MountView mount = wire::read_mount(&view.mounts.items);
  EXPECT_EQ(mount.target, "/t");
  EXPECT_EQ(mount.propagation, 3U);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_FALSE(wire::read_plan(bytes.data(), cut, &view));
  EXPECT_EQ(decode_process(encode(plan.process)).value().args, plan.process.args);
  EXPECT_THAT(merge_env({"A=1", "B=2"}, {"A=3", "C=4"}), ElementsAre("A=3", "B=2", "C=4"));
}

}  // namespace
}  // namespace stack::runtime
