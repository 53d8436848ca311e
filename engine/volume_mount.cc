#include "engine/volume_mount.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/files.h"

namespace stack::engine {

namespace {

struct Word {
  const char* name;
  unsigned long set, clear;
};
constexpr Word kWords[] = {{"ro", MS_RDONLY, 0},
                           {"rw", 0, MS_RDONLY},
                           {"bind", MS_BIND, 0},
                           {"rbind", MS_BIND | MS_REC, 0},
                           {"nosuid", MS_NOSUID, 0},
                           {"suid", 0, MS_NOSUID},
                           {"nodev", MS_NODEV, 0},
                           {"dev", 0, MS_NODEV},
                           {"noexec", MS_NOEXEC, 0},
                           {"exec", 0, MS_NOEXEC},
                           {"sync", MS_SYNCHRONOUS, 0},
                           {"async", 0, MS_SYNCHRONOUS},
                           {"dirsync", MS_DIRSYNC, 0},
                           {"noatime", MS_NOATIME, 0},
                           {"atime", 0, MS_NOATIME},
                           {"nodiratime", MS_NODIRATIME, 0},
                           {"relatime", MS_RELATIME, 0},
                           {"strictatime", MS_STRICTATIME, 0},
                           {"defaults", 0, 0}};

std::string option(const VolumeOptions& options, const char* name) {
  const auto it = options.find(name);
  return it == options.end() ? std::string() : it->second;
}

bool is_mounted(const std::filesystem::path& place) {
  struct stat here {};
  struct stat above {};
  return ::stat(place.c_str(), &here) == 0 && ::stat(place.parent_path().c_str(), &above) == 0 &&
         here.st_dev != above.st_dev;
}

}  // namespace

Status check_volume_options(const VolumeOptions& options) {
  constexpr std::array kKnown = {"type", "o", "device"};
  for (const auto& [name, value] : options) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end())
      return Error::invalid("invalid option: \"" + name + "\"");
  }
  for (const char* needed : {"device", "type"}) {
    if (!options.empty() && options.count(needed) == 0)
      return Error::invalid(std::string("missing required option: \"") + needed + "\"");
  }
  return ok_status();
}

std::string bound_directory(const VolumeOptions& options) {
  const bool binds = (mount_arguments(option(options, "o")).flags & MS_BIND) != 0;
  return binds ? option(options, "device") : std::string();
}

MountArguments mount_arguments(const std::string& text) {
  MountArguments out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    const auto word = text.substr(at, end - at);
    at = end + 1;
    const auto* known = std::find_if(std::begin(kWords), std::end(kWords),
                                     [&](const Word& one) { return word == one.name; });
    if (known != std::end(kWords)) {
      out.flags = (out.flags | known->set) & ~known->clear;
    } else if (!word.empty()) {
      out.data += (out.data.empty() ? "" : ",") + word;
    }
  }
  return out;
}

Status mount_volume(const VolumeOptions& options, const std::filesystem::path& mountpoint) {
  const auto failed = [&](int err) {
    return Error::os(err, "error while mounting volume '" + mountpoint.string() +
                              "': failed to mount local volume: mount " +
                              option(options, "device") + ":" + mountpoint.string());
  };
  if (const auto directory = bound_directory(options); !directory.empty()) {
    struct stat info {};
    return ::stat(directory.c_str(), &info) == 0 ? ok_status() : failed(errno);
  }
  // Two containers may begin to use it at the same time.
  const Fd lock = TRY(open_fd(mountpoint.parent_path(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::flock(lock.get(), LOCK_EX) != 0) return failed(errno);
  if (is_mounted(mountpoint)) return ok_status();
  const auto arguments = mount_arguments(option(options, "o"));
  if (::mount(option(options, "device").c_str(), mountpoint.c_str(),
              option(options, "type").c_str(), arguments.flags, arguments.data.c_str()) != 0)
    return failed(errno);
  return ok_status();
}

Status unmount_volume(const std::filesystem::path& mountpoint) {
  if (!is_mounted(mountpoint) || ::umount2(mountpoint.c_str(), MNT_DETACH) == 0) return ok_status();
  return Error::os(errno, "unmounting volume " + mountpoint.string());
}

}  // namespace stack::engine
