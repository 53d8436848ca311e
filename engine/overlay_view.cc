#include "engine/overlay_view.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <cerrno>
#include <thread>

namespace stack::engine {

namespace {

Result<Fd> open_with_new_api(const std::vector<std::filesystem::path>& lowers,
                             const std::filesystem::path& upper,
                             const std::filesystem::path& work) {
  const Fd context(::fsopen("overlay", FSOPEN_CLOEXEC));
  if (!context) return Error::os(errno, "fsopen overlay");
  const auto set = [&](const char* key, const std::filesystem::path& value) -> Status {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0)
      return ok_status();
    return Error::os(errno, std::string("overlay ") + key + " " + value.string());
  };
  for (const auto& lower : lowers) TRY(set("lowerdir+", lower));
  TRY(set("upperdir", upper));
  TRY(set("workdir", work));
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return Error::os(errno, "mounting an overlay");
  Fd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount) return Error::os(errno, "fsmount");
  return mount;
}

Result<Fd> open_with_mount(const std::vector<std::filesystem::path>& lowers,
                           const std::filesystem::path& upper, const std::filesystem::path& work) {
  std::string options = "lowerdir=";
  for (std::size_t i = 0; i < lowers.size(); ++i)
    options += (i == 0 ? "" : ":") + lowers[i].string();
  options += ",upperdir=" + upper.string() + ",workdir=" + work.string();
  Result<Fd> result = Error::make(ErrorKind::kInternal, "not run");
  // The descriptor keeps the mount alive when the thread's namespace goes.
  std::thread([&] {
    if (::unshare(CLONE_NEWNS | CLONE_FS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      result = Error::os(errno, "a mount namespace");
      return;
    }
    if (::mount("overlay", "/mnt", "overlay", 0, options.c_str()) != 0) {
      result = Error::os(errno, "mounting an overlay");
      return;
    }
    result = open_fd("/mnt", O_RDONLY | O_DIRECTORY);
  }).join();
  return result;
}

}  // namespace

Result<Fd> open_overlay(const std::vector<std::filesystem::path>& lowers,
                        const std::filesystem::path& upper, const std::filesystem::path& work) {
  auto view = open_with_new_api(lowers, upper, work);
  if (view.ok() || view.error().os_errno != EINVAL) return view;
  return open_with_mount(lowers, upper, work);
}

}  // namespace stack::engine
