#include "images/overlay.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/kernel.h"

namespace stack::images {
namespace {

using Path = std::filesystem::path;

Result<Fd> mount_by_context(const std::vector<Path>& lowers, const Path& upper, const Path& work) {
  const Fd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context) return Error::os(errno, "fsopen overlay");
  const auto set = [&](const char* key, const std::string& value) -> Status {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0)
      return ok_status();
    return Error::os(errno, std::string("overlay ") + key + " " + value);
  };
  for (const Path& lower : lowers) TRY(set("lowerdir+", lower));
  if (!upper.empty()) {
    TRY(set("upperdir", upper));
    TRY(set("workdir", work));
  }
  TRY(set("redirect_dir", "off"));
  TRY(set("metacopy", "off"));
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return Error::os(errno, "creating an overlay");
  Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, upper.empty() ? MOUNT_ATTR_RDONLY : 0));
  if (!mount) return Error::os(errno, "mounting an overlay");
  return mount;
}

// In a mount namespace of the calling thread's own, from which a detached copy is taken.
Result<Fd> mount_by_options(const std::vector<Path>& lowers, const Path& upper, const Path& work) {
  if (::unshare(CLONE_NEWNS | CLONE_FS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Error::os(errno, "a mount namespace for an overlay");
  // All options have to fit one page: directories are named by descriptors, which overlayfs takes
  // only of this namespace.
  std::vector<Fd> directories;
  const auto name = [&](const Path& path) -> Result<std::string> {
    directories.push_back(TRY(open_fd(path, O_PATH | O_DIRECTORY)));
    return "/proc/self/fd/" + std::to_string(directories.back().get());
  };
  std::string options = "redirect_dir=off,metacopy=off,lowerdir=";
  for (const Path& lower : lowers) options += (&lower == &lowers[0] ? "" : ":") + TRY(name(lower));
  if (!upper.empty()) options += ",upperdir=" + TRY(name(upper)) + ",workdir=" + TRY(name(work));

  // Any directory will do as a mount point: nobody else sees it covered.
  const char* point = lowers[0].c_str();
  if (::mount("overlay", point, "overlay", upper.empty() ? MS_RDONLY : 0, options.c_str()) != 0)
    return Error::os(errno, "mounting an overlay");
  Fd mount(::open_tree(AT_FDCWD, point, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!mount) return Error::os(errno, "detaching an overlay");
  return mount;
}

}  // namespace

Result<Fd> mount_overlay(const std::vector<Path>& lowers, const Path& upper, const Path& work) {
  if (lowers.empty())
    return Error::make(ErrorKind::kInternal, "an overlay needs a lower directory");
  // overlayfs wants two directories; one alone is its own view.
  if (upper.empty() && lowers.size() == 1) return open_fd(lowers[0], O_RDONLY | O_DIRECTORY);
  Result<Fd> mount = Error::os(EINVAL, "lowerdir+");
  if (kernel_at_least(6, 7)) mount = mount_by_context(lowers, upper, work);
  if (mount.ok() || mount.error().os_errno != EINVAL) return mount;
  std::thread([&] { mount = mount_by_options(lowers, upper, work); }).join();
  return mount;
}

}  // namespace stack::images
