// A machine for the root tests: a root file system made of a static busybox, a runtime with the
// shim of this build, and containers that are removed again whatever happens.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/files.h"
#include "runtime/container.h"
#include "runtime/default_spec.h"
#include "runtime/log_reader.h"

namespace stack::runtime {

class RuntimeRootTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const std::string busybox = stack::exists("/bin/busybox") ? "/bin/busybox" : "/usr/bin/busybox";
    ASSERT_TRUE(stack::exists(busybox)) << "needs Debian's package busybox-static";
    dir_ = std::filesystem::temp_directory_path() / ("stack-runtime-" + random_hex(12));
    make_layer(busybox);
    auto runtime =
        Runtime::open({std::filesystem::path(STACK_BINARY_DIR) / "stack-shim", dir_ / "cache"});
    ASSERT_TRUE(runtime.ok()) << runtime.error().to_string();
    runtime_ = std::make_unique<Runtime>(std::move(*runtime));
  }

  void TearDown() override {
    for (const auto& id : ids_) {
      const Status status = runtime_->destroy(id, run_dir(id));
      EXPECT_TRUE(status.ok()) << status.error().to_string();
    }
    if (!dir_.empty()) {
      EXPECT_TRUE(remove_tree(dir_).ok());
    }
  }

  void make_layer(const std::string& busybox) {
    for (const char* sub :
         {"lower/bin", "lower/etc", "lower/tmp", "lower/home/app", "lower/locked"}) {
      std::filesystem::create_directories(dir_ / sub);
    }
    std::filesystem::copy_file(busybox, dir_ / "lower/bin/busybox");
    for (const char* name :
         {"sh",    "cat",    "ls",      "id",    "sleep", "true",     "false", "mount",
          "grep",  "echo",   "kill",    "head",  "yes",   "stat",     "dd",    "readlink",
          "tr",    "wc",     "ps",      "env",   "pwd",   "hostname", "stty",  "tty",
          "mknod", "chroot", "unshare", "touch", "umask", "printf",   "test",  "sysctl",
          "ip",    "seq",    "awk",     "usleep"}) {
      std::filesystem::create_symlink("busybox", dir_ / "lower/bin" / name);
    }
    ASSERT_TRUE(write_file(dir_ / "lower/etc/passwd",
                           "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/"
                           "sh\nwww:x:33:33::/var/www:/bin/sh\n")
                    .ok());
    ASSERT_TRUE(
        write_file(dir_ / "lower/etc/group",
                   "root:x:0:\naudio:x:29:app\napp:x:1000:\nwww:x:33:\nextra:x:77:app,www\n")
            .ok());
    ASSERT_TRUE(write_file(dir_ / "lower/etc/plain", "text\n").ok());
    ASSERT_TRUE(write_file(dir_ / "lower/bin/broken", "", 0755).ok());
    ::chmod((dir_ / "lower/bin/broken").c_str(), 0755);
    ASSERT_TRUE(write_file(dir_ / "lower/bin/nointerp", "#!/no/such/interpreter\n", 0755).ok());
    ::chmod((dir_ / "lower/bin/nointerp").c_str(), 0755);
    ::chmod((dir_ / "lower/tmp").c_str(), 01777);
    ::chmod((dir_ / "lower/locked").c_str(), 0700);
  }

  std::filesystem::path run_dir(const std::string& id) const { return dir_ / "run" / id; }
  std::filesystem::path log_file(const std::string& id) const { return dir_ / (id + "-json.log"); }

  ContainerOptions options(std::vector<std::string> args) const {
    ContainerOptions o;
    o.id = random_hex(64);
    o.args = std::move(args);
    return o;
  }
  ContainerOptions shell(const std::string& script) const {
    return options({"/bin/sh", "-c", script});
  }

  StartRequest request(const ContainerOptions& o) {
    StartRequest r;
    r.id = o.id;
    auto spec = default_spec(o, Host::current());
    EXPECT_TRUE(spec.ok()) << spec.error().to_string();
    if (spec.ok()) r.spec = std::move(*spec);
    const auto base = dir_ / "containers" / o.id;
    std::filesystem::create_directories(base / "upper");
    std::filesystem::create_directories(base / "work");
    r.rootfs = {{dir_ / "lower"}, base / "upper", base / "work"};
    r.run_dir = run_dir(o.id);
    r.log.file = log_file(o.id);
    ids_.push_back(o.id);
    return r;
  }

  Result<RunningContainer> start(const ContainerOptions& o) { return runtime_->start(request(o)); }

  ExitRecord wait(const RunningContainer& c, const std::string& id) {
    EXPECT_TRUE(reap(c.shim_pidfd.get(), true).ok());
    const auto record = read_exit(run_dir(id));
    EXPECT_TRUE(record.ok() && record->has_value()) << "no exit record";
    return record.ok() && record->has_value() ? **record : ExitRecord{-1, 0, false, {}};
  }

  struct Output {
    int code = -1;
    std::string out, err;
    ExitRecord record;
    std::string failure;
  };
  Output run(const StartRequest& r) {
    Output result;
    auto c = runtime_->start(r);
    if (!c.ok()) {
      result.failure = c.error().message;
      return result;
    }
    result.record = wait(*c, r.id);
    result.code = result.record.code;
    auto reader = LogReader::open(r.log.file, {});
    if (!reader.ok()) return result;
    for (;;) {
      auto records = reader->next();
      if (!records.ok() || records->empty()) break;
      for (const auto& record : *records)
        (record.is_stderr ? result.err : result.out) += record.text;
    }
    return result;
  }
  Output run(const ContainerOptions& o) { return run(request(o)); }
  Output run(const std::string& script) { return run(shell(script)); }

  struct ExecOutput {
    int code = -1;
    std::string out, err, failure;
  };
  ExecOutput exec(ExecRequest r) {
    ExecOutput result;
    r.run_dir = run_dir(r.id);
    auto e = runtime_->exec(r);
    if (!e.ok()) {
      result.failure = e.error().message;
      return result;
    }
    e->in.reset();
    if (e->out) result.out = *read_all(e->out.get());
    if (e->err) result.err = *read_all(e->err.get());
    const auto status = reap(e->shim_pidfd.get(), true);
    if (status.ok() && *status) result.code = (*status)->code;
    return result;
  }
  ExecOutput exec(const std::string& id, std::vector<std::string> args) {
    ExecRequest r;
    r.id = id;
    r.args = std::move(args);
    return exec(r);
  }

  template <typename F>
  static bool eventually(F&& f, int ms = 5000) {
    for (int i = 0; i < ms / 5; ++i) {
      if (f()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return f();
  }

  std::filesystem::path dir_;
  std::unique_ptr<Runtime> runtime_;
  std::vector<std::string> ids_;
};

}  // namespace stack::runtime
