// Docker's flags in the API's words.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/command.h"
#include "cli/detach_keys.h"
#include "cli/docker/build_section.h"
#include "cli/docker/create_flags.h"
#include "cli/docker/create_request.h"
#include "cli/docker/csv.h"
#include "cli/docker/mount_spec.h"
#include "cli/docker/network_spec.h"
#include "cli/docker/port_spec.h"
#include "cli/docker/resource_flags.h"
#include "cli/docker/support.h"
#include "cli/docker/verbs.h"
#include "cli/document.h"

namespace stack::cli::docker {
namespace {

Result<CreateRequest> create(std::vector<std::string> words, bool foreground = true) {
  const auto args = parse_flags(flags_of(kRun), words, false);
  if (!args.ok()) return args.error();
  return create_request(*args, foreground);
}

Document body_of(const std::vector<std::string>& words) {
  const auto request = create(words);
  EXPECT_TRUE(request.ok()) << request.error().message;
  return request.ok() ? *Document::parse(request->body) : *Document::parse("{}");
}

std::string failure(const std::vector<std::string>& words) {
  const auto request = create(words);
  return request.ok() ? "no error" : request.error().message;
}

TEST(CreateRequest, WhatIsNotSaidIsLeftToTheEngine) {
  const auto request = create({"busybox", "echo", "-n", "hi"});
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(
      request->body,
      R"({"AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,"OpenStdin":false,)"
      R"("StdinOnce":false,"Env":[],"Cmd":["echo","-n","hi"],"Image":"busybox",)"
      R"("HostConfig":{"NetworkMode":"default","RestartPolicy":{"Name":"no","MaximumRetryCount":0}}})");
  EXPECT_EQ(request->image, "busybox");
}

TEST(CreateRequest, ProcessAndIdentity) {
  ::setenv("STACK_TEST_FROM_OUTSIDE", "seen", 1);
  const Document body = body_of({"-it",
                                 "--rm",
                                 "--name",
                                 "web",
                                 "-h",
                                 "box",
                                 "--domainname",
                                 "example.com",
                                 "-u",
                                 "1:2",
                                 "-w",
                                 "/w",
                                 "-e",
                                 "A=b",
                                 "-e",
                                 "STACK_TEST_FROM_OUTSIDE",
                                 "-e",
                                 "STACK_TEST_NOT_SET",
                                 "-l",
                                 "x=y",
                                 "--entrypoint",
                                 "/bin/sh",
                                 "--stop-signal",
                                 "SIGQUIT",
                                 "--stop-timeout",
                                 "7",
                                 "--init",
                                 "--restart",
                                 "no",
                                 "busybox"});
  EXPECT_EQ(body.root().text("Hostname"), "box");
  EXPECT_EQ(body.root().text("User"), "1:2");
  EXPECT_TRUE(body.root().truth("Tty"));
  EXPECT_TRUE(body.root().truth("StdinOnce"));
  EXPECT_EQ(body["Env"].compact(), R"(["A=b","STACK_TEST_FROM_OUTSIDE=seen"])");
  EXPECT_EQ(body["Labels"].compact(), R"({"x":"y"})");
  EXPECT_EQ(body["Entrypoint"].compact(), R"(["/bin/sh"])");
  EXPECT_EQ(body.root().number("StopTimeout"), 7);
  EXPECT_TRUE(body["HostConfig"].truth("AutoRemove"));
  EXPECT_TRUE(body["HostConfig"].truth("Init"));
  EXPECT_EQ(body_of({"--entrypoint", "", "busybox"})["Entrypoint"].compact(), R"([""])");
}

TEST(CreateRequest, Limits) {
  const Document body = body_of({"-m",
                                 "64m",
                                 "--memory-swap",
                                 "-1",
                                 "--cpus",
                                 "1.5",
                                 "-c",
                                 "512",
                                 "--cpuset-cpus",
                                 "0-1",
                                 "--pids-limit",
                                 "100",
                                 "--ulimit",
                                 "nofile=1024:2048",
                                 "--ulimit",
                                 "core=0",
                                 "--shm-size",
                                 "1g",
                                 "--oom-kill-disable",
                                 "--oom-score-adj",
                                 "-5",
                                 "--device",
                                 "/dev/fuse",
                                 "--device",
                                 "/dev/a:/dev/b:r",
                                 "--device-read-bps",
                                 "/dev/sda:1mb",
                                 "--gpus",
                                 "all",
                                 "busybox"});
  const JsonView host = body["HostConfig"];
  EXPECT_EQ(host.number("Memory"), 64 << 20);
  EXPECT_EQ(host.number("MemorySwap"), -1);
  EXPECT_EQ(host.number("NanoCpus"), 1'500'000'000);
  EXPECT_EQ(host.number("CpuShares"), 512);
  EXPECT_EQ(host.number("PidsLimit"), 100);
  EXPECT_EQ(host["Ulimits"].compact(),
            R"([{"Name":"nofile","Hard":2048,"Soft":1024},{"Name":"core","Hard":0,"Soft":0}])");
  EXPECT_EQ(host.number("ShmSize"), 1 << 30);
  EXPECT_EQ(
      host["Devices"].compact(),
      R"([{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"},)"
      R"({"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"r"}])");
  EXPECT_EQ(host["BlkioDeviceReadBps"].compact(), R"([{"Path":"/dev/sda","Rate":1048576}])");
  EXPECT_EQ(host["DeviceRequests"].compact(),
            R"([{"Driver":"","Count":-1,"DeviceIDs":[],"Capabilities":[["gpu"]],"Options":{}}])");
}

TEST(CreateRequest, HealthAndLogs) {
  const Document body =
      body_of({"--health-cmd", "true", "--health-interval", "1m30s", "--health-retries", "3",
               "--log-driver", "json-file", "--log-opt", "max-size=1m", "busybox"});
  EXPECT_EQ(body["Healthcheck"].compact(),
            R"({"Test":["CMD-SHELL","true"],"Interval":90000000000,"Retries":3})");
  EXPECT_EQ(body["HostConfig"]["LogConfig"].compact(),
            R"({"Type":"json-file","Config":{"max-size":"1m"}})");
  EXPECT_EQ(body_of({"--no-healthcheck", "busybox"})["Healthcheck"].compact(),
            R"({"Test":["NONE"]})");
}

TEST(CreateRequest, SecurityProfilesAreSentWithTheirContent) {
  const auto path = std::filesystem::temp_directory_path() / "stack-seccomp-test.json";
  std::ofstream(path) << "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }";
  const Document body =
      body_of({"--security-opt", "no-new-privileges", "--security-opt", "seccomp=" + path.string(),
               "--security-opt", "systempaths=unconfined", "busybox"});
  std::filesystem::remove(path);
  EXPECT_EQ(body["HostConfig"]["SecurityOpt"].compact(),
            R"(["no-new-privileges","seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"])");
  EXPECT_EQ(body["HostConfig"]["MaskedPaths"].compact(), "[]");
}

TEST(CreateRequest, Mistakes) {
  EXPECT_EQ(failure({"--rm", "--restart", "always", "busybox"}),
            "conflicting options: cannot specify both --restart and --rm");
  EXPECT_EQ(failure({"-p", "foo", "busybox"}), "Invalid containerPort: foo");
  EXPECT_EQ(failure({"--memory", "5x", "busybox"}),
            "invalid argument \"5x\" for \"--memory\" flag: invalid size: '5x'");
  EXPECT_EQ(failure({"--restart", "sometimes", "busybox"}),
            "invalid restart policy: unknown policy 'sometimes'");
  EXPECT_EQ(failure({"--restart", "on-failure:x", "busybox"}),
            "invalid restart policy format: maximum retry count must be an integer");
  EXPECT_EQ(failure({"--env-file", "/nosuch", "busybox"}),
            "open /nosuch: no such file or directory");
  EXPECT_EQ(failure({"--ulimit", "nofile=9:3", "busybox"}),
            "invalid argument \"nofile=9:3\" for \"--ulimit\" flag: ulimit soft limit must be less "
            "than or equal to hard "
            "limit: 9 > 3");
  EXPECT_EQ(
      failure({"--cpus", "many", "busybox"}),
      "invalid argument \"many\" for \"--cpus\" flag: failed to parse many as a rational number");
  EXPECT_EQ(failure({"--use-api-socket", "busybox"}), "--use-api-socket is not supported");
  EXPECT_EQ(
      failure({"--health-interval", "soon", "busybox"}),
      "invalid argument \"soon\" for \"--health-interval\" flag: time: invalid duration \"soon\"");
}

TEST(PortSpec, Forms) {
  const auto ports = [](const std::string& text) {
    PortBindings bindings;
    const auto status = add_published(text, bindings);
    if (!status.ok()) return status.error().message;
    std::string out;
    for (const auto& [port, hosts] : bindings) {
      for (const HostPort& host : hosts) out += port + "=" + host.ip + "|" + host.port + " ";
    }
    return out;
  };
  EXPECT_EQ(ports("80"), "80/tcp=| ");
  EXPECT_EQ(ports("8080:80"), "80/tcp=|8080 ");
  EXPECT_EQ(ports("127.0.0.1:8080:80/udp"), "80/udp=127.0.0.1|8080 ");
  EXPECT_EQ(ports("127.0.0.1::80"), "80/tcp=127.0.0.1| ");
  EXPECT_EQ(ports("[::1]:8080:80"), "80/tcp=::1|8080 ");
  EXPECT_EQ(ports("::1:8080:80"), "80/tcp=::1|8080 ");
  EXPECT_EQ(ports("8000-8001:80-81"), "80/tcp=|8000 81/tcp=|8001 ");
  EXPECT_EQ(ports("8000-8010:80"), "80/tcp=|8000-8010 ");
  EXPECT_EQ(ports("target=80,published=8080,protocol=udp"), "80/udp=|8080 ");
  EXPECT_EQ(ports("8000-8002:80-81"),
            "Invalid ranges specified for container and host Ports: 80-81 and 8000-8002");
  EXPECT_EQ(ports("x:80"), "Invalid hostPort: x");
  EXPECT_EQ(ports("80/icmp"), "Invalid proto: icmp");
  EXPECT_EQ(ports("70000:80"), "Invalid hostPort: 70000");
  EXPECT_EQ(ports("8080:"), "No port specified: 8080:<empty>");
  EXPECT_EQ(ports("somehost:8080:80"), "Invalid ip address: somehost");
  EXPECT_EQ(exposed_ports("80-82/udp")->size(), 3U);
  EXPECT_FALSE(exposed_ports("80:80").ok());
}

TEST(MountSpec, Forms) {
  EXPECT_EQ(parse_volume("/a:/b:ro")->bind, "/a:/b:ro");
  EXPECT_EQ(parse_volume("data:/b")->bind, "data:/b");
  EXPECT_EQ(parse_volume("./a:/b")->bind, (std::filesystem::current_path() / "a").string() + ":/b");
  EXPECT_EQ(parse_volume("/data")->anonymous, "/data");
  EXPECT_FALSE(parse_volume("/a:").ok());
  EXPECT_EQ(
      *mount_json("type=bind,src=/a,dst=/b,ro,bind-propagation=rslave"),
      R"({"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"BindOptions":{"Propagation":"rslave"}})");
  EXPECT_EQ(*mount_json("source=data,target=/b,volume-nocopy,volume-opt=type=tmpfs"),
            R"({"Type":"volume","Source":"data","Target":"/b","VolumeOptions":{"NoCopy":true,)"
            R"("DriverConfig":{"Options":{"type":"tmpfs"}}}})");
  EXPECT_EQ(*mount_json("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770"),
            R"({"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1048576,"Mode":1016}})");
  const auto wrong = [](const std::string& text) { return mount_json(text).error().message; };
  EXPECT_EQ(wrong("foo"),
            "invalid argument \"foo\" for \"--mount\" flag: invalid field 'foo' must be a "
            "key=value pair");
  EXPECT_EQ(wrong("type=bind,src=/a"),
            "invalid argument \"type=bind,src=/a\" for \"--mount\" flag: target is required");
  EXPECT_EQ(wrong("type=tmpfs,dst=/a,volume-nocopy"),
            "invalid argument \"type=tmpfs,dst=/a,volume-nocopy\" for \"--mount\" flag: cannot mix "
            "'volume-*' options with "
            "mount type 'tmpfs'");
}

TEST(NetworkSpec, ShortAndLongForms) {
  Document body = body_of({"--network", "front", "--network-alias", "db", "--ip", "10.1.2.3",
                           "--link", "a:b", "busybox"});
  EXPECT_EQ(body["HostConfig"].text("NetworkMode"), "front");
  EXPECT_EQ(
      body["NetworkingConfig"]["EndpointsConfig"].compact(),
      R"({"front":{"IPAMConfig":{"IPv4Address":"10.1.2.3"},"Links":["a:b"],"Aliases":["db"]}})");
  EXPECT_EQ(body["HostConfig"]["Links"].compact(), R"(["a:b"])");
  body = body_of(
      {"--network", "name=front,alias=a,alias=b,driver-opt=k=v", "--network", "back", "busybox"});
  EXPECT_EQ(body["NetworkingConfig"]["EndpointsConfig"].compact(),
            R"({"front":{"Aliases":["a","b"],"DriverOpts":{"k":"v"}},"back":{}})");
  EXPECT_EQ(body_of({"--net", "host", "busybox"})["HostConfig"].text("NetworkMode"), "host");
  EXPECT_EQ(
      failure({"--network", "front", "--network", "host", "busybox"}),
      "conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  EXPECT_EQ(failure({"--network", "front", "--network", "front", "busybox"}),
            "network \"front\" is specified multiple times");
  EXPECT_EQ(failure({"--network-alias", "x", "busybox"}),
            "network-scoped aliases are only supported for user-defined networks");
}

TEST(Csv, QuotedFields) {
  const auto fields = csv_fields("mount", "type=bind,\"src=/a,b\",Dst=/c");
  ASSERT_TRUE(fields.ok());
  ASSERT_EQ(fields->size(), 3U);
  EXPECT_EQ((*fields)[1].value, "/a,b");
  EXPECT_EQ((*fields)[2].key, "dst");
  EXPECT_FALSE(csv_fields("mount", "\"a=b").ok());
}

TEST(Filters, AsTheApiTakesThem) {
  EXPECT_EQ(filters_json({"label=a", "label=b=c", "status=exited"}),
            R"({"label":["a","b=c"],"status":["exited"]})");
  EXPECT_EQ(filters_json({}), "");
}

TEST(BuildSection, FlagsOfBuild) {
  const auto args = parse_flags(
      flags_of(kBuild),
      std::vector<std::string>{"-t", "a:1", "-t", "b", "--build-arg", "X=$y", "--target", "t", "."},
      true);
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(
      *build_project(*args, "/src", ""),
      R"({"name":"image-build","services":{"image":{"build":{"context":"/src","dockerfile":"Dockerfile",)"
      R"("args":{"X":"$$y"},"target":"t","tags":["b"]},"image":"a:1"}}})");
  EXPECT_EQ(*build_query(*args),
            "nocache=0&pull=0&t=a%3A1&t=b&buildargs=%7B%22X%22%3A%22%24y%22%7D&target=t");
  const auto refused = parse_flags(
      flags_of(kBuild), std::vector<std::string>{"--output", "type=local,dest=x", "."}, true);
  EXPECT_EQ(check_build_flags(*refused).error().message,
            "--output type=local,dest=x is not supported");
}

TEST(DetachKeys, HeldBackUntilTheyAreComplete) {
  auto keys = DetachKeys::parse(kDefaultDetachKeys);
  ASSERT_TRUE(keys.ok());
  std::string forward;
  EXPECT_FALSE(keys->feed("ls\r\x10", forward));
  EXPECT_EQ(forward, "ls\r");
  EXPECT_FALSE(keys->feed("x", forward));
  EXPECT_EQ(forward, "ls\r\x10x");
  EXPECT_FALSE(keys->feed("\x10\x10", forward));
  EXPECT_EQ(forward, "ls\r\x10x\x10");
  EXPECT_TRUE(keys->feed("\x11", forward));
  EXPECT_EQ(forward, "ls\r\x10x\x10");
  auto letters = DetachKeys::parse("a,ctrl-@");
  ASSERT_TRUE(letters.ok());
  forward.clear();
  EXPECT_TRUE(letters->feed(std::string("ba\0", 3), forward));
  EXPECT_EQ(forward, "b");
  EXPECT_FALSE(DetachKeys::parse("ctrl-1").ok());
  EXPECT_FALSE(DetachKeys::parse("ctrl").ok());
}

}  // namespace
}  // namespace stack::cli::docker
