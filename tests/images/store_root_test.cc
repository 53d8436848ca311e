#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "images/copy.h"
#include "tests/images/root_support.h"

namespace stack::images::test {
namespace {

TarEntry link_entry(const std::string& path, const std::string& target) {
  TarEntry entry = file_entry(path);
  entry.mode = S_IFLNK | 0777U;
  entry.symlink = target;
  return entry;
}
TarEntry hard_entry(const std::string& path, const std::string& target) {
  TarEntry entry = file_entry(path);
  entry.hardlink = target;
  return entry;
}
TarEntry dir_entry(const std::string& path, unsigned mode = 0755) {
  TarEntry entry = file_entry(path);
  entry.mode = S_IFDIR | mode;
  return entry;
}

class Attack : public StoreTest {
 protected:
  std::string refused(const std::vector<TarEntry>& entries) {
    Fd tar = make_tar(entries);
    const auto image = import(tar.get(), "evil");
    EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/layers"));
    EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/tmp"));
    return image.ok() ? "" : image.error().to_string();
  }
  std::filesystem::path unpacked(const std::vector<TarEntry>& entries) {
    Fd tar = make_tar(entries);
    const auto image = import(tar.get(), "odd");
    EXPECT_TRUE(image.ok()) << image.error().to_string();
    return image.ok() ? store_->layer_directories(image->id)->at(0) : "/nonexistent";
  }
};

TEST_F(Attack, NamesThatLeaveTheRootAreRefused) {  // I1
  EXPECT_NE(
      refused({file_entry("../../../../tmp/x")}).find("invalid entry name \"../../../../tmp/x\""),
      std::string::npos);
}

TEST_F(Attack, AbsoluteNamesLandInTheRoot) {  // I2
  EXPECT_EQ(read(unpacked({file_entry("/abs/x")}) / "abs/x"), "content");
}

TEST_F(Attack, WritingThroughALinkStaysInside) {  // I3
  const std::filesystem::path outside = dir_ / "outside";
  ASSERT_TRUE(make_directories(outside).ok());
  const auto root =
      unpacked({link_entry("lnk", outside.string()), dir_entry(outside.string()),
                file_entry("lnk/f"), link_entry("up", "../../../../.."), file_entry("up/g")});
  EXPECT_TRUE(std::filesystem::is_empty(outside));
  EXPECT_EQ(read(root.string() + outside.string() + "/f"), "content");
  EXPECT_EQ(read(root / "g"), "content");
}

TEST_F(Attack, HardLinksOutsideAreRefused) {  // I4, I5
  EXPECT_NE(refused({hard_entry("hl", "../../../etc/passwd")}).find("invalid hardlink target"),
            std::string::npos);
  EXPECT_NE(
      refused({link_entry("lnk", "/etc"), hard_entry("hl", "lnk/passwd")}).find("No such file"),
      std::string::npos);
}

TEST_F(Attack, Whiteouts) {  // I6
  for (const char* bad : {".wh.", ".wh...", ".wh..wh..opq"})
    EXPECT_NE(refused({file_entry(bad)}).find("invalid whiteout entry"), std::string::npos) << bad;
  const auto root = unpacked({file_entry("d/.wh.gone"), file_entry("kept"), file_entry(".wh.kept"),
                              file_entry("o/new"), file_entry("o/.wh..wh..opq"),
                              file_entry(".wh.again"), file_entry("again/x")});
  struct stat st {};
  ASSERT_EQ(::lstat((root / "d/gone").c_str(), &st), 0);
  EXPECT_TRUE(S_ISCHR(st.st_mode) && st.st_rdev == 0);
  EXPECT_EQ(read(root / "kept"), "content");
  char value[8] = {};
  EXPECT_EQ(::getxattr((root / "o").c_str(), "trusted.overlay.opaque", value, sizeof value), 1);
  EXPECT_EQ(value[0], 'y');
  EXPECT_EQ(read(root / "again/x"), "content");
  EXPECT_EQ(::getxattr((root / "again").c_str(), "trusted.overlay.opaque", value, sizeof value), 1);
}

TEST_F(Attack, OverlayAttributesAreStripped) {  // I7
  TarEntry entry = file_entry("f");
  entry.xattrs = {
      {"trusted.overlay.redirect", "/etc"}, {"user.overlay.opaque", "y"}, {"user.mine", "1"}};
  const auto root = unpacked({entry});
  EXPECT_LT(::getxattr((root / "f").c_str(), "trusted.overlay.redirect", nullptr, 0), 0);
  EXPECT_LT(::getxattr((root / "f").c_str(), "user.overlay.opaque", nullptr, 0), 0);
  EXPECT_EQ(::getxattr((root / "f").c_str(), "user.mine", nullptr, 0), 1);
}

TEST_F(Attack, WhiteoutDevicesAreRefused) {  // I8
  TarEntry entry = file_entry("dev");
  entry.mode = S_IFCHR | 0600U;
  EXPECT_NE(refused({entry}).find("0:0"), std::string::npos);
}

TEST_F(Attack, ModeOfALinkDoesNotReachItsTarget) {  // I29
  const std::filesystem::path victim = dir_ / "victim";
  ASSERT_TRUE(make_directories(victim, 0700).ok());
  const auto root = unpacked({link_entry("x", victim.string()), dir_entry("x", 0777)});
  struct stat st {};
  ASSERT_EQ(::stat(victim.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0700U);
  ASSERT_EQ(::lstat((root / "x").c_str(), &st), 0);
  EXPECT_TRUE(S_ISDIR(st.st_mode));
}

TEST_F(StoreTest, KeepsOwnersModesTimesAndLinks) {
  TarEntry suid = file_entry("bin/su", 04755);
  suid.uid = 12;
  suid.gid = 34;
  TarEntry device = file_entry("null");
  device.mode = S_IFCHR | 0666U;
  device.major = 1;
  device.minor = 3;
  TarEntry named = file_entry("caf\xc3\xa9/" + std::string(120, 'n'));
  Fd tar =
      make_tar({dir_entry("bin", 01777), suid, hard_entry("bin/su2", "bin/su"), device, named});
  const auto image = import(tar.get(), "meta");
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  const auto root = store_->layer_directories(image->id)->at(0);
  struct stat st {};
  struct stat other {};
  ASSERT_EQ(::stat((root / "bin/su").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 04755U);
  EXPECT_EQ(st.st_uid, 12U);
  EXPECT_EQ(st.st_gid, 34U);
  EXPECT_EQ(st.st_mtime, 1700000000);
  ASSERT_EQ(::stat((root / "bin/su2").c_str(), &other), 0);
  EXPECT_EQ(st.st_ino, other.st_ino);
  ASSERT_EQ(::stat((root / "bin").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 01777U);
  EXPECT_EQ(st.st_mtime, 1700000000);
  ASSERT_EQ(::stat((root / "null").c_str(), &st), 0);
  EXPECT_EQ(st.st_rdev, makedev(1, 3));
  EXPECT_EQ(read(root / named.path), "content");
}

TEST_F(StoreTest, ImportTagFindRemove) {
  Fd tar = busybox_tar();
  const auto image = import(tar.get(), "box:1", {"CMD [\"sh\"]", "ENV A=b", "EXPOSE 80"});
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  EXPECT_EQ(image->repo_tags, std::vector<std::string>{"box:1"});
  EXPECT_EQ(image->config.cmd->at(0), "sh");
  EXPECT_EQ(store_->find("box").error().message, "No such image: box:latest");
  EXPECT_EQ(store_->find("box").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(store_->find(image->id.substr(7, 8))->id, image->id);
  ASSERT_TRUE(store_->tag("box:1", *Reference::parse("other")).ok());
  // The index survives a restart.
  store_.reset();
  store_ = Store::open(dir_ / "images").value();
  EXPECT_EQ(store_->find("other")->id, image->id);
  const auto in_use = [](const std::string&) {
    return std::vector<ImageUse>{{"0123456789abcdef", true}};
  };
  EXPECT_EQ(store_->remove(image->id, false, in_use).error().kind, ErrorKind::kConflict);
  EXPECT_EQ(store_->remove("other", false, nullptr)->untagged,
            std::vector<std::string>{"other:latest"});
  EXPECT_NE(store_->remove("box:1", false, in_use).error().message.find("must force"),
            std::string::npos);
  const auto removed = store_->remove("box:1", false, nullptr);
  ASSERT_TRUE(removed.ok());
  EXPECT_EQ(removed->deleted.size(), 2U);
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/layers"));
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/blobs/sha256"));
}

TEST_F(StoreTest, AForcedRemovalLeavesAStoppedContainerItsImage) {
  Fd tar = busybox_tar();
  const auto image = import(tar.get(), "box:1");
  ASSERT_TRUE(image.ok());
  ASSERT_TRUE(store_->tag("box:1", *Reference::parse("box:2")).ok());
  bool contained = true;
  const auto in_use = [&](const std::string&) {
    return contained ? std::vector<ImageUse>{{"0123456789abcdef", false}} : std::vector<ImageUse>{};
  };
  EXPECT_NE(store_->remove(image->id, false, in_use).error().message.find("must be forced"),
            std::string::npos);
  const auto removed = store_->remove(image->id, true, in_use);
  ASSERT_TRUE(removed.ok()) << removed.error().to_string();
  EXPECT_EQ(removed->untagged, (std::vector<std::string>{"box:1", "box:2"}));
  EXPECT_TRUE(removed->deleted.empty());
  EXPECT_FALSE(store_->find("box:1").ok());
  EXPECT_TRUE(stack::exists(store_->layer_directories(image->id)->at(0)));
  EXPECT_TRUE(store_->prune({}, in_use)->deleted.empty());
  contained = false;
  EXPECT_EQ(store_->prune({}, in_use)->deleted.size(), 2U);
}

TEST_F(StoreTest, SaveAndLoadKeepTheId) {
  Fd tar = busybox_tar();
  const auto image = import(tar.get(), "box:1");
  ASSERT_TRUE(image.ok());
  Fd out(::memfd_create("saved", MFD_CLOEXEC));
  ASSERT_TRUE(store_->save({"box:1"}, out.get()).ok());
  ASSERT_TRUE(store_->remove("box:1", true, nullptr).ok());
  ::lseek(out.get(), 0, SEEK_SET);
  const auto lines = store_->load(out.get(), nullptr);
  ASSERT_TRUE(lines.ok()) << lines.error().to_string();
  EXPECT_EQ(*lines, std::vector<std::string>{"Loaded image: box:1"});
  EXPECT_EQ(store_->find("box:1")->id, image->id);
  // A name without tag stands for all its tags; an id for the image without names.
  ASSERT_TRUE(store_->tag(image->id, *Reference::parse("box:2")).ok());
  const auto reload = [&](const std::string& name) {
    Fd again(::memfd_create("saved", MFD_CLOEXEC));
    EXPECT_TRUE(store_->save({name, name}, again.get()).ok());
    ::lseek(again.get(), 0, SEEK_SET);
    return store_->load(again.get(), nullptr).value();
  };
  EXPECT_EQ(reload("box"),
            (std::vector<std::string>{"Loaded image: box:1", "Loaded image: box:2"}));
  EXPECT_EQ(reload("box:2"), std::vector<std::string>{"Loaded image: box:2"});
  EXPECT_EQ(reload(image->id), std::vector<std::string>{"Loaded image ID: " + image->id});
  Fd none(::memfd_create("saved", MFD_CLOEXEC));
  EXPECT_EQ(store_->save({"nosuch"}, none.get()).error().message, "No such image: nosuch");
  EXPECT_EQ(store_->save({"box:3"}, none.get()).error().message, "reference does not exist");
  Fd no_image = make_tar({file_entry("x")});
  EXPECT_NE(store_->load(no_image.get(), nullptr).error().message.find("neither manifest.json"),
            std::string::npos);
}

TEST_F(StoreTest, CommitMakesALayerOfAnUpperDirectory) {
  Fd tar = busybox_tar();
  const auto base = import(tar.get(), "box");
  ASSERT_TRUE(base.ok());
  const auto upper = dir_ / "upper";
  ASSERT_TRUE(make_directories(upper / "etc/conf").ok());
  ASSERT_TRUE(write_file(upper / "etc/new", "n").ok());
  ASSERT_EQ(::mknod((upper / "etc/passwd").c_str(), S_IFCHR, 0), 0);
  ASSERT_EQ(::setxattr((upper / "etc/conf").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  ImageConfig config = base->config;
  config.cmd = std::vector<std::string>{"cat"};
  const auto image = store_->commit({.parent_id = base->id,
                                     .upper_directory = upper,
                                     .config = config,
                                     .command = "sh -c x",
                                     .comment = "why",
                                     .author = "me",
                                     .reference = *Reference::parse("made")});
  ASSERT_TRUE(image.ok()) << image.error().to_string();
  const auto layers = store_->layer_directories(image->id);
  ASSERT_EQ(layers->size(), 2U);
  struct stat st {};
  ASSERT_EQ(::lstat((layers->at(0) / "etc/passwd").c_str(), &st), 0);
  EXPECT_TRUE(S_ISCHR(st.st_mode));
  EXPECT_EQ(::getxattr((layers->at(0) / "etc/conf").c_str(), "trusted.overlay.opaque", nullptr, 0),
            1);
  ASSERT_EQ(image->config.history.size(), 2U);
  EXPECT_EQ(image->config.history[1].created_by, "sh -c x");
  EXPECT_EQ(image->parent, base->id);
  // The tar has the whiteouts of the OCI format, not overlayfs's.
  Fd blob(::open(store_->layer_store().blob_path(image->config.diff_ids[1]).c_str(),
                 O_RDONLY | O_CLOEXEC));
  FdSource source(blob.get());
  TarReader reader(source);
  TarEntry entry;
  std::vector<std::string> names;
  while (*reader.next(entry)) names.push_back(entry.path);
  EXPECT_EQ(names, (std::vector<std::string>{"etc/", "etc/conf/", "etc/conf/.wh..wh..opq",
                                             "etc/new", "etc/.wh.passwd"}));
  store_.reset();  // the index has it too
  store_ = Store::open(dir_ / "images").value();
  EXPECT_EQ(store_->find("made")->parent, base->id);
}

TEST_F(StoreTest, CopyInAndOutStaysInside) {
  const auto root = dir_ / "root";
  ASSERT_TRUE(make_directories(root / "real").ok());
  std::filesystem::create_symlink("/../../real", root / "link");
  std::filesystem::create_symlink("/etc", root / "etc");
  Fd fd = open_fd(root, O_RDONLY | O_DIRECTORY).value();
  Fd tar = make_tar({file_entry("f")});
  ASSERT_TRUE(extract_tar(fd.get(), "/link", tar.get()).ok());
  EXPECT_EQ(read(root / "real/f"), "content");
  EXPECT_FALSE(stat_in_root(fd.get(), "/etc/passwd").ok());
  EXPECT_EQ(stat_in_root(fd.get(), "/link")->link_target, "/../../real");
  std::filesystem::create_symlink("link", root / "again");
  std::filesystem::create_symlink("../none", root / "real/dangling");
  EXPECT_EQ(resolve_in_root(fd.get(), "/again").value(), "/real");
  EXPECT_EQ(resolve_in_root(fd.get(), "/").value(), "/");
  EXPECT_EQ(resolve_in_root(fd.get(), "/real/dangling").value(), "/none");
  EXPECT_FALSE(resolve_in_root(fd.get(), "/none").ok());
  Fd out(::memfd_create("out", MFD_CLOEXEC));
  ASSERT_TRUE(write_tar(fd.get(), "/real", out.get()).ok());
  ::lseek(out.get(), 0, SEEK_SET);
  ASSERT_TRUE(make_directories(dir_ / "to").ok());
  Fd to = open_fd(dir_ / "to", O_RDONLY | O_DIRECTORY).value();
  ASSERT_TRUE(extract_tar(to.get(), "/", out.get()).ok());
  EXPECT_EQ(read(dir_ / "to/real/f"), "content");
  ASSERT_TRUE(copy_tree(fd.get(), "/real", to.get(), "/a/b").ok());
  EXPECT_EQ(read(dir_ / "to/a/b/f"), "content");
  EXPECT_EQ(extract_tar(to.get(), "/none", out.get()).error().kind, ErrorKind::kNotFound);
}

TEST_F(StoreTest, APowerCutLosesNoLayerWhoseBlobIsThere) {
  Fd tar = busybox_tar();
  const auto kept = import(tar.get(), "kept");
  ASSERT_TRUE(kept.ok());
  const auto file = store_->layer_directories(kept->id)->at(0) / "etc/group";
  const std::string before = read(file);
  store_.reset();
  // What a disk holds that was written half, seen by the next boot.
  ASSERT_TRUE(write_file(file, "").ok());
  ASSERT_TRUE(write_file(dir_ / "images/unwritten", "another boot").ok());
  store_ = Store::open(dir_ / "images").value();
  EXPECT_EQ(store_->find("kept")->id, kept->id);
  EXPECT_EQ(read(file), before);
  EXPECT_FALSE(stack::exists(dir_ / "images/unwritten"));
  store_.reset();
  // With the blob damaged too the image is gone, and says so, but never half there.
  const auto blob = dir_ / "images/blobs/sha256";
  for (const auto& item : std::filesystem::directory_iterator(blob)) {
    if (item.file_size() > 100000) std::filesystem::resize_file(item.path(), 1000);
  }
  const auto layer = file.parent_path().parent_path().parent_path();
  ASSERT_TRUE(write_file(layer / "unwritten", "").ok());
  ASSERT_TRUE(write_file(dir_ / "images/unwritten", "").ok());
  store_ = Store::open(dir_ / "images").value();
  EXPECT_FALSE(store_->find("kept").ok());
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/layers"));
}

TEST_F(StoreTest, ADamagedImageTakesNoOtherOneAway) {
  Fd tar = busybox_tar();
  const auto kept = import(tar.get(), "kept");
  Fd other = make_tar({file_entry("x")});
  const auto damaged = import(other.get(), "damaged:1");
  ASSERT_TRUE(kept.ok() && damaged.ok());
  ASSERT_TRUE(store_->tag("damaged:1", *Reference::parse("damaged:2")).ok());
  ASSERT_TRUE(write_file(store_->layer_store().blob_path(damaged->id), "no configuration").ok());
  store_.reset();
  store_ = Store::open(dir_ / "images").value();
  EXPECT_FALSE(store_->find("damaged:1").ok());
  EXPECT_FALSE(store_->find("damaged:2").ok());
  // Nor does the index that is written without it.
  ASSERT_TRUE(store_->tag("kept", *Reference::parse("kept:2")).ok());
  store_.reset();
  auto again = Store::open(dir_ / "images");
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  store_ = std::move(*again);
  EXPECT_EQ(store_->find("kept:2")->id, kept->id);
  EXPECT_EQ(store_->list().size(), 1U);
}

TEST_F(StoreTest, AKilledImportLeavesNoHalfLayer) {
  store_.reset();
  Pipe pipe = make_pipe().value();
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    pipe.write.reset();
    auto mine = Store::open(dir_ / "images");
    if (mine.ok())
      (void)(*mine)->import_rootfs(pipe.read.get(), *Reference::parse("half"), {}, "", nullptr);
    ::_exit(0);
  }
  pipe.read.reset();
  Fd tar = busybox_tar();
  const std::string bytes = *read_all(tar.get());
  ASSERT_TRUE(
      write_all(pipe.write.get(), std::string_view(bytes).substr(0, bytes.size() / 2)).ok());
  // The child has begun to unpack when its directory appears.
  for (int i = 0; i < 500 && (!stack::exists(dir_ / "images/tmp") ||
                              std::filesystem::is_empty(dir_ / "images/tmp"));
       ++i)
    ::usleep(10000);
  EXPECT_FALSE(std::filesystem::is_empty(dir_ / "images/tmp"));
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ::waitpid(pid, nullptr, 0);
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/layers"));
  store_ = Store::open(dir_ / "images").value();
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "images/tmp"));
  EXPECT_TRUE(store_->list().empty());
  ::lseek(tar.get(), 0, SEEK_SET);
  EXPECT_TRUE(import(tar.get(), "half").ok());
}

}  // namespace
}  // namespace stack::images::test
