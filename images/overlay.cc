#include "images/overlay.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace stack::images {
namespace {

int config(int fs, unsigned command, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, fs, command, key, value, 0));
}

}  // namespace

Result<Fd> mount_overlay(const std::vector<std::filesystem::path>& lowers,
                         const std::filesystem::path& upper, const std::filesystem::path& work) {
  if (lowers.empty())
    return Error::make(ErrorKind::kInternal, "an overlay needs a lower directory");
  // overlayfs wants two directories; one alone is its own view.
  if (upper.empty() && lowers.size() == 1) return open_fd(lowers[0], O_RDONLY | O_DIRECTORY);
  Fd fs(static_cast<int>(::syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
  if (!fs) return Error::os(errno, "fsopen overlay");
  bool one_by_one = true;
  for (const auto& lower : lowers) {
    if (config(fs.get(), FSCONFIG_SET_STRING, "lowerdir+", lower.c_str()) == 0) continue;
    if (errno != EINVAL || &lower != &lowers[0])
      return Error::os(errno, "overlay lower directory " + lower.string());
    one_by_one = false;  // before Linux 6.5
    break;
  }
  if (!one_by_one) {
    std::string joined;
    for (const auto& lower : lowers) joined += (joined.empty() ? "" : ":") + lower.string();
    if (config(fs.get(), FSCONFIG_SET_STRING, "lowerdir", joined.c_str()) != 0)
      return Error::os(errno, "overlay lower directories");
  }
  if (!upper.empty() && (config(fs.get(), FSCONFIG_SET_STRING, "upperdir", upper.c_str()) != 0 ||
                         config(fs.get(), FSCONFIG_SET_STRING, "workdir", work.c_str()) != 0)) {
    return Error::os(errno, "overlay upper directory " + upper.string());
  }
  // A layer must be complete in its upper directory: no renames by redirect, no files without data.
  (void)config(fs.get(), FSCONFIG_SET_STRING, "redirect_dir", "off");
  (void)config(fs.get(), FSCONFIG_SET_STRING, "metacopy", "off");
  if (config(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0)
    return Error::os(errno, "creating an overlay");
  Fd mount(static_cast<int>(
      ::syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, upper.empty() ? MOUNT_ATTR_RDONLY : 0)));
  if (!mount) return Error::os(errno, "mounting an overlay");
  return mount;
}

}  // namespace stack::images
