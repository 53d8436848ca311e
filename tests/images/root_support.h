// A store in a temporary directory, tars made in memory, and a step runner that only needs
// chroot(2).
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "images/build.h"
#include "images/store.h"
#include "images/tar.h"

namespace stack::images::test {

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::string read(const std::filesystem::path& path) {
    return read_file(path).ok() ? *read_file(path) : "<none>";
  }
  Result<Image> import(int tar_fd, const std::string& name,
                       const std::vector<std::string>& changes = {});

  std::filesystem::path dir_;
  std::unique_ptr<Store> store_;
};

TarEntry file_entry(const std::string& path, unsigned mode = 0644);
// A memfd, rewound, with the entries; `content` is the content of every regular file.
Fd make_tar(const std::vector<TarEntry>& entries, const std::string& content = "content");
// A root with busybox as /bin/sh, and /etc/passwd.
Fd busybox_tar();

// Runs steps in a child: own mount namespace, overlay, chroot. No mounts of RunStep.
class ChrootRunner final : public StepRunner {
 public:
  Result<int> run(const RunStep& step, const OutputCallback& output, std::stop_token stop) override;
  int runs = 0;
  std::function<void()> meanwhile;  // what others do while a step is about to run
};

}  // namespace stack::images::test
