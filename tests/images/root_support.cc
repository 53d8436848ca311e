#include "tests/images/root_support.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

namespace stack::images::test {

void StoreTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  char pattern[] = "/tmp/stack-images-XXXXXX";
  dir_ = ::mkdtemp(pattern);
  auto store = Store::open(dir_ / "images");
  ASSERT_TRUE(store.ok()) << store.error().to_string();
  store_ = std::move(*store);
}

void StoreTest::TearDown() {
  store_.reset();
  if (dir_.empty()) return;
  ASSERT_TRUE(remove_tree(dir_).ok());
}

Result<Image> StoreTest::import(int tar_fd, const std::string& name,
                                const std::vector<std::string>& changes) {
  return store_->import_rootfs(tar_fd, TRY(Reference::parse(name)), changes, "", nullptr);
}

TarEntry file_entry(const std::string& path, unsigned mode) {
  TarEntry entry;
  entry.path = path;
  entry.mode = S_IFREG | mode;
  entry.mtime = 1700000000;
  return entry;
}

Fd make_tar(const std::vector<TarEntry>& entries, const std::string& content) {
  Fd fd(::memfd_create("tar", MFD_CLOEXEC));
  FdSink sink(fd.get());
  TarWriter writer(sink);
  for (TarEntry entry : entries) {
    const bool has_content = S_ISREG(entry.mode) && entry.hardlink.empty();
    entry.size = has_content ? static_cast<std::int64_t>(content.size()) : 0;
    EXPECT_TRUE(writer.header(entry).ok());
    if (!has_content) continue;
    EXPECT_TRUE(writer.data(content).ok());
  }
  EXPECT_TRUE(writer.finish().ok());
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

Fd busybox_tar() {
  Fd fd(::memfd_create("tar", MFD_CLOEXEC));
  FdSink sink(fd.get());
  TarWriter writer(sink);
  TarEntry entry = file_entry("bin/busybox", 0755);
  Fd busybox(::open("/usr/bin/busybox", O_RDONLY | O_CLOEXEC));
  struct stat st {};
  EXPECT_EQ(::fstat(busybox.get(), &st), 0) << "busybox-static is needed";
  entry.size = st.st_size;
  EXPECT_TRUE(writer.file_from(entry, busybox.get()).ok());
  for (const char* name : {"sh", "cat", "ls", "mkdir", "rm", "id", "echo"}) {
    TarEntry link = file_entry(std::string("bin/") + name);
    link.mode = S_IFLNK | 0777U;
    link.symlink = "busybox";
    EXPECT_TRUE(writer.header(link).ok());
  }
  EXPECT_TRUE(writer.file("etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:101:102::/:/bin/sh\n").ok());
  EXPECT_TRUE(writer.file("etc/group", "root:x:0:\nweb:x:77:\n").ok());
  EXPECT_TRUE(writer.finish().ok());
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

Result<int> ChrootRunner::run(const RunStep& step, const OutputCallback& output, std::stop_token) {
  ++runs;
  if (meanwhile) meanwhile();
  Pipe pipe = TRY(make_pipe());
  std::string options = "lowerdir=";
  for (std::size_t i = 0; i < step.lowers.size(); ++i)
    options += (i == 0 ? "" : ":") + step.lowers[i].string();
  options += ",upperdir=" + step.upper.string() + ",workdir=" + step.work.string();
  const std::string root = step.upper.parent_path() / "merged";
  TRY(make_directories(root));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(pipe.write.get(), 1);
    ::dup2(pipe.write.get(), 2);
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("overlay", root.c_str(), "overlay", 0, options.c_str()) != 0 ||
        ::chroot(root.c_str()) != 0 || ::chdir(step.cwd.c_str()) != 0) {
      ::_exit(125);
    }
    std::vector<char*> argv;
    std::vector<char*> env;
    for (const std::string& word : step.args) argv.push_back(const_cast<char*>(word.c_str()));
    for (const std::string& word : step.env) env.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    env.push_back(nullptr);
    ::execve(argv[0], argv.data(), env.data());
    ::_exit(127);
  }
  pipe.write.reset();
  output("stdout", TRY(read_all(pipe.read.get())));
  int status = 0;
  ::waitpid(pid, &status, 0);
  TRY(remove_tree(root));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace stack::images::test
