#include "engine/init_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/fd.h"

namespace stack::engine {

namespace fs = std::filesystem;

namespace {

enum class Kind { kFile, kDirectory, kMountsLink };

struct InitFile {
  const char* directory;  // "": the root
  const char* name;
  Kind kind;
};

constexpr InitFile kInitFiles[] = {
    {"", ".dockerenv", Kind::kFile},    {"", "proc", Kind::kDirectory},
    {"", "sys", Kind::kDirectory},      {"dev", "console", Kind::kFile},
    {"dev", "pts", Kind::kDirectory},   {"dev", "shm", Kind::kDirectory},
    {"etc", "hostname", Kind::kFile},   {"etc", "hosts", Kind::kFile},
    {"etc", "mtab", Kind::kMountsLink}, {"etc", "resolv.conf", Kind::kFile},
};

// The topmost entry of that name below the upper directory; a removal counts as one.
std::optional<struct stat> in_lowers(const std::vector<fs::path>& lowers, const fs::path& path) {
  for (const auto& lower : lowers) {
    struct stat found {};
    if (::lstat((lower / path).c_str(), &found) == 0) return found;
  }
  return std::nullopt;
}

// nullopt: what stands there is no directory.
Result<std::optional<Fd>> open_directory(int root, const char* name,
                                         const std::vector<fs::path>& lowers) {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const auto below = in_lowers(lowers, name);
  if (below && !S_ISDIR(below->st_mode)) return std::optional<Fd>();
  if (::mkdirat(root, name, 0755) == 0) {
    // The upper directory's attributes are those that the container sees.
    if (below && (::fchmodat(root, name, below->st_mode & 07777U, 0) != 0 ||
                  ::fchownat(root, name, below->st_uid, below->st_gid, AT_SYMLINK_NOFOLLOW) != 0))
      return Error::os(errno, std::string("/") + name);
  } else if (errno != EEXIST) {
    return Error::os(errno, std::string("/") + name);
  }
  Fd out(::openat(root, name, kFlags));
  if (!out) return std::optional<Fd>();
  return std::optional<Fd>(std::move(out));
}

bool make(int directory, const InitFile& file) {
  switch (file.kind) {
    case Kind::kDirectory:
      return ::mkdirat(directory, file.name, 0755) == 0;
    case Kind::kMountsLink:
      return ::symlinkat("/proc/mounts", directory, file.name) == 0;
    case Kind::kFile:
      break;
  }
  return static_cast<bool>(Fd(
      ::openat(directory, file.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755)));
}

}  // namespace

Status add_init_files(const fs::path& upper, const std::vector<fs::path>& lowers) {
  const Fd root = TRY(open_fd(upper, O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const auto& file : kInitFiles) {
    if (in_lowers(lowers, fs::path(file.directory) / file.name)) continue;
    std::optional<Fd> directory;
    if (*file.directory != '\0') {
      directory = TRY(open_directory(root.get(), file.directory, lowers));
      if (!directory) continue;
    }
    if (!make(directory ? directory->get() : root.get(), file) && errno != EEXIST)
      return Error::os(errno, (fs::path("/") / file.directory / file.name).string());
  }
  return ok_status();
}

}  // namespace stack::engine
