#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/runtime/root_fixture.h"

namespace stack::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(RuntimeRootTest, RunsAProgramAndRecordsItsEnd) {
  const auto r = run("echo hello; echo oops >&2; exit 3");
  EXPECT_EQ(r.failure, "");
  EXPECT_EQ(r.code, 3);
  EXPECT_EQ(r.out, "hello\n");
  EXPECT_EQ(r.err, "oops\n");
  EXPECT_FALSE(r.record.oom_killed);
  EXPECT_EQ(run("kill -9 $$; exit 7").code, 7);  // pid 1 is immune to itself
  EXPECT_EQ(run("exit 300").code, 44);
}

TEST_F(RuntimeRootTest, MountTableIsDockers) {
  const auto r = run("cat /proc/self/mountinfo; echo; cat /proc/mounts");
  ASSERT_EQ(r.code, 0) << r.failure << r.err;
  const auto& m = r.out;
  EXPECT_THAT(m, HasSubstr("overlay / overlay rw,relatime"));
  EXPECT_THAT(m, HasSubstr("proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"));
  EXPECT_THAT(m, HasSubstr("tmpfs /dev tmpfs rw,nosuid,size=65536k,mode=755"));
  EXPECT_THAT(
      m, HasSubstr("devpts /dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666"));
  EXPECT_THAT(m, HasSubstr("sysfs /sys sysfs ro,nosuid,nodev,noexec,relatime"));
  EXPECT_THAT(m, HasSubstr("/sys/fs/cgroup"));
  EXPECT_THAT(m, HasSubstr("mqueue /dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime"));
  EXPECT_THAT(m, HasSubstr("shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k"));
  EXPECT_THAT(m, HasSubstr("proc /proc/sys proc ro,nosuid,nodev,noexec,relatime"));
  EXPECT_THAT(m, HasSubstr("tmpfs /sys/firmware tmpfs ro,relatime,size=4k,nr_inodes=1"));
  EXPECT_THAT(m, HasSubstr("tmpfs /proc/keys tmpfs rw,nosuid,size=65536k"));
  EXPECT_THAT(m, Not(HasSubstr("shared:")));
  EXPECT_THAT(m, Not(HasSubstr(dir_.string() + "/run")));
}

TEST_F(RuntimeRootTest, DevicesAndTheirRules) {
  const auto r =
      run("ls -l /dev | awk '{print $1,$3,$4,$5,$6,$9,$10,$11}'; echo x >/dev/null && head -c 3 "
          "/dev/zero | wc -c;"
          "mknod /tmp/mem c 1 1 && echo made; cat /tmp/mem; ls /dev/pts; stat -c %a /dev/shm");
  EXPECT_THAT(r.out, HasSubstr("crw-rw-rw- root root 1, 3"));
  EXPECT_THAT(r.out, HasSubstr("ptmx -> pts/ptmx"));
  EXPECT_THAT(r.out, HasSubstr("3\nmade\n"));
  EXPECT_THAT(r.out, HasSubstr("ptmx\n1777\n"));
  EXPECT_THAT(r.err, HasSubstr("Operation not permitted"));
}

TEST_F(RuntimeRootTest, CapabilitiesAndFilter) {
  const char* script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -d '\\t'";
  EXPECT_EQ(run(script).out,
            "CapInh:0000000000000000\nCapPrm:00000000a80425fb\nCapEff:00000000a80425fb\nCapBnd:"
            "00000000a80425fb\n"
            "CapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n");
  auto o = shell(script);
  o.user = "1000";
  o.cap_add = {"NET_ADMIN"};
  EXPECT_THAT(
      run(o).out,
      HasSubstr("CapPrm:0000000000000000\nCapEff:0000000000000000\nCapBnd:00000000a80435fb\n"));
  o = shell(script);
  o.cap_drop = {"ALL"};
  o.no_new_privileges = true;
  EXPECT_THAT(
      run(o).out,
      HasSubstr("CapBnd:0000000000000000\nCapAmb:0000000000000000\nNoNewPrivs:1\nSeccomp:2\n"));
  o = shell(script);
  o.privileged = true;
  const auto all = run(o);
  EXPECT_EQ(all.failure, "");
  EXPECT_THAT(all.out, HasSubstr("Seccomp:0\n"));
}

TEST_F(RuntimeRootTest, NamespacesAndNames) {
  auto o = shell(
      "hostname; echo $$; echo $HOSTNAME; ls /proc | grep -c '^[0-9]'; readlink /proc/self/ns/net; "
      "umask; pwd");
  const auto r = run(o);
  EXPECT_THAT(r.out, StartsWith(o.id.substr(0, 12) + "\n1\n" + o.id.substr(0, 12) + "\n"));
  EXPECT_THAT(r.out, HasSubstr("\n0022\n/\n"));
  const std::string host_net = std::filesystem::read_symlink("/proc/self/ns/net").string();
  EXPECT_THAT(r.out, Not(HasSubstr(host_net)));
  o = shell("readlink /proc/self/ns/net; readlink /proc/self/ns/uts");
  o.network.mode = NamespaceMode::kHost;
  o.uts.mode = NamespaceMode::kHost;
  EXPECT_EQ(run(o).out,
            host_net + "\n" + std::filesystem::read_symlink("/proc/self/ns/uts").string() + "\n");
  EXPECT_EQ(
      run("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range")
          .out,
      "0\n0\t2147483647\n");
}

TEST_F(RuntimeRootTest, UsersAndGroups) {
  const auto id_of = [&](const std::string& user, std::vector<std::string> groups = {}) {
    auto o = shell("grep -E '^(Uid|Gid|Groups)' /proc/self/status | tr '\\t' ' '; echo $HOME");
    o.user = user;
    o.group_add = std::move(groups);
    const auto r = run(o);
    return r.failure + r.out;
  };
  EXPECT_EQ(id_of(""), "Uid: 0 0 0 0\nGid: 0 0 0 0\nGroups: 0 \n/root\n");
  EXPECT_EQ(id_of("app"),
            "Uid: 1000 1000 1000 1000\nGid: 1000 1000 1000 1000\nGroups: 29 77 1000 \n/home/app\n");
  EXPECT_EQ(id_of("33"), "Uid: 33 33 33 33\nGid: 33 33 33 33\nGroups: 33 77 \n/var/www\n");
  EXPECT_EQ(id_of("12345"), "Uid: 12345 12345 12345 12345\nGid: 0 0 0 0\nGroups: 0 \n/\n");
  EXPECT_EQ(id_of("33:audio", {"4242"}),
            "Uid: 33 33 33 33\nGid: 29 29 29 29\nGroups: 29 4242 \n/var/www\n");
  EXPECT_EQ(id_of("nobody9"), "unable to find user nobody9: no matching entries in passwd file");
  EXPECT_EQ(id_of("app:nogrp"), "unable to find group nogrp: no matching entries in group file");
}

TEST_F(RuntimeRootTest, FailuresHaveDockersTextAndCode) {
  const std::string prefix =
      "failed to create task for container: failed to create shim task: OCI runtime create failed: "
      "runc create failed: "
      "unable to start container process: error during container init: ";
  const auto fails = [&](std::vector<std::string> args, const std::string& text, int code) {
    const auto r = run(options(std::move(args)));
    EXPECT_EQ(r.failure, prefix + text);
    EXPECT_EQ(start_exit_code(r.failure), code);
  };
  fails({"nosuch"}, "exec: \"nosuch\": executable file not found in $PATH", 127);
  fails({""}, "exec: \"\": executable file not found in $PATH", 127);
  fails({"/no/such"}, "exec: \"/no/such\": stat /no/such: no such file or directory", 127);
  fails({"/etc/plain"}, "exec: \"/etc/plain\": permission denied", 126);
  fails({"/etc"}, "exec: \"/etc\": is a directory: permission denied", 126);
  auto broken = run(options({"/bin/broken"}));
  EXPECT_EQ(broken.code, 255);
  EXPECT_EQ(broken.err, "exec /bin/broken: exec format error\n");
  broken = run(options({"/bin/nointerp"}));
  EXPECT_EQ(broken.code, 255);
  EXPECT_EQ(broken.err, "exec /bin/nointerp: no such file or directory\n");
  auto o = options({"/bin/true"});
  o.hostname = std::string(70, 'h');
  EXPECT_EQ(run(o).failure, prefix + "sethostname: invalid argument");
  o = options({"/bin/true"});
  o.cwd = "/etc/passwd";
  EXPECT_EQ(run(o).failure, "Cannot mkdir: /etc/passwd is not a directory");
  o = shell("pwd");
  o.cwd = "/made/here";
  EXPECT_EQ(run(o).out, "/made/here\n");
}

TEST_F(RuntimeRootTest, MountsOfTheUser) {
  std::filesystem::create_directories(dir_ / "data/sub");
  ASSERT_TRUE(write_file(dir_ / "data/file", "from the host\n").ok());
  ASSERT_EQ(::mount("tmpfs", (dir_ / "data/sub").c_str(), "tmpfs", 0, nullptr), 0);
  auto o = shell(
      "cat /data/file; touch /data/x; touch /data/sub/y; cat /one; echo more >> /rw/new && cat "
      "/rw/new;"
      "grep ' /t1 ' /proc/mounts; touch /t1/ok; echo $?");
  o.mounts = {{MountKind::kBind,
               (dir_ / "data").string(),
               "/data",
               true,
               "",
               BindRecursive::kEnabled,
               0,
               {}},
              {MountKind::kBind,
               (dir_ / "data/file").string(),
               "/one",
               false,
               "",
               BindRecursive::kEnabled,
               0,
               {}},
              {MountKind::kVolume,
               (dir_ / "data").string(),
               "/rw",
               false,
               "",
               BindRecursive::kEnabled,
               0,
               {}}};
  o.tmpfs["/t1"] = "rw,size=1m,mode=1770,exec";
  const auto r = run(o);
  EXPECT_EQ(::umount2((dir_ / "data/sub").c_str(), MNT_DETACH), 0);
  EXPECT_THAT(r.out, StartsWith("from the host\nfrom the host\nmore\n"));
  EXPECT_THAT(r.out, HasSubstr("tmpfs /t1 tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=1770"));
  EXPECT_THAT(r.out, HasSubstr("\n0\n"));
  EXPECT_THAT(r.err, HasSubstr("/data/x: Read-only file system"));
  EXPECT_THAT(r.err, HasSubstr("/data/sub/y: Read-only file system"));  // recursively
  EXPECT_TRUE(stack::exists(dir_ / "data/new"));
  o = options({"/bin/true"});
  o.mounts = {{MountKind::kBind,
               (dir_ / "data").string(),
               "/etc/passwd",
               false,
               "",
               BindRecursive::kEnabled,
               0,
               {}}};
  const auto wrong = run(o);
  EXPECT_THAT(
      wrong.failure,
      HasSubstr(
          "not a directory: Are you trying to mount a directory onto a file (or vice-versa)?"));
  EXPECT_EQ(start_exit_code(wrong.failure), 127);
}

TEST_F(RuntimeRootTest, TargetsStayInside) {
  // The image leads /lnk outside; the mount must land inside.
  std::filesystem::create_symlink(dir_.string() + "/canary", dir_ / "lower/lnk");
  std::filesystem::create_directories(dir_ / "canary");
  std::filesystem::create_directories((dir_ / "lower").string() + dir_.string() + "/canary");
  auto o = shell("echo inside > /lnk/f; cat /lnk/f");
  o.mounts = {{MountKind::kTmpfs, "", "/lnk/deep", false, "", BindRecursive::kEnabled, 0, {}}};
  EXPECT_EQ(run(o).out, "inside\n");
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "canary"));
  o = options({"/bin/true"});
  o.mounts = {
      {MountKind::kBind, dir_.string(), "/proc/acpi", false, "", BindRecursive::kEnabled, 0, {}}};
  EXPECT_THAT(run(o).failure, HasSubstr("cannot be mounted because it is inside /proc"));
}

TEST_F(RuntimeRootTest, ReadOnlyRoot) {
  auto o = shell("touch /x; touch /tmp/y; touch /dev/shm/z && echo shm; grep ' / ' /proc/mounts");
  o.read_only = true;
  const auto r = run(o);
  EXPECT_THAT(r.out, HasSubstr("shm\n"));
  EXPECT_THAT(r.out, HasSubstr("overlay / overlay ro,relatime"));
  EXPECT_THAT(r.err, HasSubstr("/x: Read-only file system"));
}

TEST_F(RuntimeRootTest, LimitsHold) {
  auto o = shell("head -c 100000000 /dev/zero | tail -c 90000000 | wc -c; echo after");
  o.resources.memory_limit = 16 << 20;
  o.args = {"/bin/busybox", "awk", "BEGIN{s=\"x\"; while (1) s = s s}"};
  const auto oom = run(o);
  EXPECT_EQ(oom.code, 137) << oom.failure << oom.err;
  EXPECT_TRUE(oom.record.oom_killed);
  o = shell("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait");
  o.resources.pids_limit = 5;
  EXPECT_THAT(run(o).err, HasSubstr("can't fork"));
  o = shell("cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.shares; ulimit -n");
  o.resources.cpu_quota = 150000;
  o.resources.cpu_period = 100000;
  o.resources.cpu_shares = 512;
  o.ulimits = {{"nofile", 1000, 1000}};
  if (!Host::current().cgroup_v2) {
    EXPECT_EQ(run(o).out, "150000\n512\n1000\n");
  }
}

TEST_F(RuntimeRootTest, ExecInherits) {
  auto o = options({"/bin/sleep", "100"});
  o.env = {"A=1", "B=2"};
  auto c = start(o);
  ASSERT_TRUE(c.ok()) << c.error().to_string();
  EXPECT_EQ(exec(o.id, {"true"}).code, 0);
  EXPECT_EQ(exec(o.id, {"false"}).code, 1);
  auto r = exec(o.id, {"sh", "-c", "echo $A$B; echo e >&2; hostname; exit 42"});
  EXPECT_EQ(r.code, 42);
  EXPECT_EQ(r.out, "12\n" + o.id.substr(0, 12) + "\n");
  EXPECT_EQ(r.err, "e\n");
  ExecRequest e;
  e.id = o.id;
  e.args = {"sh", "-c",
            "echo $B $HOME; pwd; grep -E '^(CapEff|CapInh|Seccomp:|Groups)' /proc/self/status | tr "
            "'\\t' ' '; ls /proc/self/fd"};
  e.env = {"B=9"};
  e.user = "app";
  e.cwd = "/tmp";
  r = exec(e);
  EXPECT_THAT(r.out, StartsWith("9 /home/app\n/tmp\n"));
  EXPECT_THAT(r.out, HasSubstr("Groups: 29 77 1000 \nCapInh: 0000000000000000\nCapEff: "
                               "0000000000000000\nSeccomp: 2\n0\n1\n2\n3\n"));
  EXPECT_THAT(r.out, Not(HasSubstr("\n4\n")));
  e.user.clear();
  e.privileged = true;
  e.args = {"grep", "-E", "^(CapEff|Seccomp:)", "/proc/self/status"};
  EXPECT_THAT(exec(e).out, HasSubstr("Seccomp:\t2"));
  EXPECT_EQ(exec(o.id, {"nosuch"}).failure,
            "OCI runtime exec failed: exec failed: unable to start container process: exec: "
            "\"nosuch\": executable file not "
            "found in $PATH");
  e = {};
  e.id = o.id;
  e.args = {"true"};
  e.cwd = "/nosuch";
  EXPECT_THAT(
      exec(e).failure,
      HasSubstr("chdir to cwd (\"/nosuch\") set in config.json failed: no such file or directory"));
  r = exec(o.id, {"sh", "-c", "kill -9 $$"});
  EXPECT_EQ(r.code, 137);
  // Its processes are in the container's cgroup.
  const auto pids = runtime_->processes(run_dir(o.id));
  ASSERT_TRUE(pids.ok());
  EXPECT_EQ(pids->size(), 1U);
}

TEST_F(RuntimeRootTest, ExecWithTerminalAndInput) {
  auto o = options({"/bin/sleep", "100"});
  ASSERT_TRUE(start(o).ok());
  ExecRequest e;
  e.id = o.id;
  e.run_dir = run_dir(o.id);
  e.args = {"sh", "-c", "tty; stty size; echo $TERM"};
  e.tty = true;
  e.rows = 33;
  e.cols = 99;
  auto running = runtime_->exec(e);
  ASSERT_TRUE(running.ok()) << running.error().to_string();
  std::string text;
  char buffer[256];
  for (ssize_t n = 0; (n = ::read(running->terminal.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  EXPECT_EQ(text, "/dev/pts/0\r\n33 99\r\nxterm\r\n");
  EXPECT_EQ((*reap(running->shim_pidfd.get(), true))->code, 0);
  e.tty = false;
  e.stdin_ = true;
  e.args = {"cat"};
  running = runtime_->exec(e);
  ASSERT_TRUE(running.ok());
  ASSERT_TRUE(write_all(running->in.get(), "through\n").ok());
  running->in.reset();
  EXPECT_EQ(*read_all(running->out.get()), "through\n");
  EXPECT_EQ((*reap(running->shim_pidfd.get(), true))->code, 0);
}

TEST_F(RuntimeRootTest, TerminalOfTheContainer) {
  auto o = shell(
      "tty; ls -l /dev/console | awk '{print $1,$4}'; stty size; read x; echo got $x; sleep 0.2; "
      "stty size");
  o.tty = true;
  o.user = "";
  auto req = request(o);
  req.open_stdin = true;
  req.spec.process.console_size = ConsoleSize{24, 80};
  auto c = runtime_->start(req);
  ASSERT_TRUE(c.ok()) << c.error().to_string();
  auto client = attach(req.run_dir, {true, true, true});
  ASSERT_TRUE(client.ok()) << client.error().to_string();
  EXPECT_TRUE(resize(req.run_dir, 50, 132).ok());
  ASSERT_TRUE(write_all(client->get(), "word\n").ok());
  const std::string seen = *read_all(client->get());
  EXPECT_THAT(seen, HasSubstr("got word\r\n50 132\r\n"));
  EXPECT_EQ(wait(*c, o.id).code, 0);
  const std::string log = *read_file(req.log.file);
  EXPECT_THAT(log, HasSubstr("{\"log\":\"/dev/pts/0\\r\\n\",\"stream\":\"stdout\""));
  EXPECT_THAT(log, HasSubstr("crw--w---- 5\\r\\n"));
}

TEST_F(RuntimeRootTest, AttachFramesAndEndsInput) {
  auto o = shell("cat; echo end >&2");
  auto req = request(o);
  req.open_stdin = true;
  req.stdin_once = true;
  auto [ours, theirs] = make_socketpair(SOCK_STREAM).value();
  req.clients.push_back({theirs.get(), {true, true, true}});
  auto c = runtime_->start(req);
  ASSERT_TRUE(c.ok()) << c.error().to_string();
  theirs.reset();
  ASSERT_TRUE(write_all(ours.get(), "hello\n").ok());
  ASSERT_EQ(::shutdown(ours.get(), SHUT_WR), 0);
  using namespace std::string_literals;
  const std::string seen = *read_all(ours.get());
  EXPECT_EQ(seen, "\1\0\0\0\0\0\0\6hello\n\2\0\0\0\0\0\0\4end\n"s);
  EXPECT_EQ(wait(*c, o.id).code, 0);
  EXPECT_EQ(attach(req.run_dir, {}).error().kind, ErrorKind::kNotFound);
}

TEST_F(RuntimeRootTest, SignalsPauseAndStats) {
  auto o = shell("trap 'echo term; exit 5' TERM; while :; do sleep 0.05; done");
  auto c = start(o);
  ASSERT_TRUE(c.ok()) << c.error().to_string();
  ASSERT_TRUE(runtime_->pause(run_dir(o.id)).ok());
  EXPECT_TRUE(*runtime_->paused(run_dir(o.id)));
  EXPECT_EQ(exec(o.id, {"true"}).failure,
            "Container " + o.id + " is paused, unpause the container before exec");
  ASSERT_TRUE(runtime_->resume(run_dir(o.id)).ok());
  const auto stats = runtime_->stats(run_dir(o.id));
  ASSERT_TRUE(stats.ok()) << stats.error().to_string();
  EXPECT_GT(stats->memory_usage, 0U);
  EXPECT_GE(stats->pids_current, 1U);
  EXPECT_GT(stats->system_cpu_ns, 0U);
  Resources r;
  r.memory_limit = 64 << 20;
  r.pids_limit = 77;
  ASSERT_TRUE(runtime_->update(run_dir(o.id), r).ok());
  EXPECT_EQ(runtime_->stats(run_dir(o.id))->pids_limit, 77U);
  EXPECT_EQ(runtime_->stats(run_dir(o.id))->memory_limit, 64U << 20U);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ASSERT_TRUE(signal(run_dir(o.id), SIGTERM).ok());
  EXPECT_EQ(wait(*c, o.id).code, 5);
  EXPECT_FALSE(signal(run_dir(o.id), SIGTERM).ok());
}

TEST_F(RuntimeRootTest, InitForwardsAndReaps) {
  auto o = shell(
      "trap 'exit 9' TERM; echo $$; cat /proc/1/comm; (sleep 0.01 &) ; while :; do sleep 0.05; "
      "done");
  auto req = request(o);
  req.init = true;
  auto c = runtime_->start(req);
  ASSERT_TRUE(c.ok()) << c.error().to_string();
  EXPECT_TRUE(eventually(
      [&] { return read_file(req.log.file)->find("docker-init") != std::string::npos; }));
  EXPECT_THAT(*read_file(req.log.file), HasSubstr("\"log\":\"2\\n\""));
  EXPECT_TRUE(signal(req.run_dir, SIGTERM).ok());
  EXPECT_EQ(wait(*c, o.id).code, 9);
  o = shell("kill -SEGV $$");
  req = request(o);
  req.init = true;
  EXPECT_EQ(run(req).code, 139);
}

TEST_F(RuntimeRootTest, LogPiecesAndRotation) {
  auto o =
      shell("printf 'tab\\there <&>\\n'; head -c 40000 /dev/zero | tr '\\0' a; echo; printf end");
  auto req = request(o);
  const auto r = run(req);
  EXPECT_EQ(r.code, 0);
  const std::string log = *read_file(req.log.file);
  EXPECT_THAT(log, StartsWith("{\"log\":\"tab\\u0009here "
                              "\\u003c\\u0026\\u003e\\n\",\"stream\":\"stdout\",\"time\":\""));
  EXPECT_THAT(log, HasSubstr("{\"log\":\"" + std::string(16384, 'a') + "\",\"stream\""));
  EXPECT_THAT(log, HasSubstr("{\"log\":\"" + std::string(40000 - 32768, 'a') + "\\n\",\"stream\""));
  EXPECT_THAT(log, HasSubstr("{\"log\":\"end\",\"stream\""));
  o = shell("seq 1 1000");
  req = request(o);
  req.log.max_size = 10000;
  req.log.max_file = 3;
  EXPECT_EQ(run(req).code, 0);
  EXPECT_TRUE(stack::exists(req.log.file.string() + ".2"));
  EXPECT_FALSE(stack::exists(req.log.file.string() + ".3"));
  EXPECT_GE(std::filesystem::file_size(req.log.file.string() + ".1"), 10000U);
  EXPECT_LT(std::filesystem::file_size(req.log.file.string() + ".1"), 10200U);
}

TEST_F(RuntimeRootTest, LivesOnWithoutTheEngine) {
  auto o = shell("sleep 0.4; echo late; exit 6");
  const auto req = request(o);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(runtime_->start(req).ok() ? 0 : 1);  // the "engine" dies at once
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  auto c = adopt(req.run_dir);
  ASSERT_TRUE(c.ok()) << c.error().to_string();
  EXPECT_EQ(exec(o.id, {"true"}).code, 0);
  EXPECT_TRUE(eventually([&] { return !is_alive(c->shim_pidfd.get()); }));
  EXPECT_EQ((*read_exit(req.run_dir))->code, 6);
  EXPECT_THAT(*read_file(req.log.file), HasSubstr("late\\n"));
  EXPECT_EQ(adopt(req.run_dir).error().kind, ErrorKind::kNotFound);
}

TEST_F(RuntimeRootTest, ShimsDeathEndsTheContainer) {
  auto o = options({"/bin/sleep", "100"});
  auto c = start(o);
  ASSERT_TRUE(c.ok());
  const Fd init = open_process(c->init).value();
  ASSERT_TRUE(send_signal(c->shim_pidfd.get(), SIGKILL).ok());
  EXPECT_TRUE(eventually([&] { return !is_alive(init.get()); }));
  (void)reap(c->shim_pidfd.get(), true);
  EXPECT_FALSE(adopt(run_dir(o.id)).ok());
  EXPECT_FALSE(read_exit(run_dir(o.id))->has_value());
}

TEST_F(RuntimeRootTest, DestroyLeavesNothing) {
  auto o = shell("sleep 100 & sleep 100");
  auto c = start(o);
  ASSERT_TRUE(c.ok());
  const std::string before = *read_file("/proc/self/mountinfo");
  EXPECT_THAT(before, Not(HasSubstr(o.id)));
  ASSERT_TRUE(runtime_->destroy(o.id, run_dir(o.id)).ok());
  EXPECT_FALSE(stack::exists(run_dir(o.id)));
  for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup")) {
    EXPECT_FALSE(stack::exists(entry.path() / "stack" / o.id)) << entry.path();
  }
  EXPECT_FALSE(is_alive(c->shim_pidfd.get()));
  EXPECT_FALSE(open_process(c->init).ok());
  EXPECT_TRUE(runtime_->destroy(o.id, run_dir(o.id)).ok());  // again
}

}  // namespace
}  // namespace stack::runtime
