#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "images/copy.h"
#include "images/paths.h"

namespace stack::images {

Result<Fd> open_in_root(int root_fd, const std::string& path, int flags, unsigned mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  // EAGAIN: a rename or mount elsewhere in the system raced with ".."; openat2(2) asks to try
  // again.
  for (int attempt = 0; attempt < 128; ++attempt) {
    const long fd = ::syscall(SYS_openat2, root_fd, name, &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return Error::os(errno, path);
}

Result<Fd> make_directories_in_root(int root_fd, const std::string& path, unsigned mode, uid_t uid,
                                    gid_t gid) {
  // The whole path first, so that symbolic links in the part that exists are followed inside the
  // root.
  auto whole = open_in_root(root_fd, path, O_PATH | O_DIRECTORY);
  if (whole.ok() || whole.error().os_errno != ENOENT) return whole;
  const std::vector<std::string> parts = split_path(path);
  Fd here = TRY(open_in_root(root_fd, "/", O_PATH | O_DIRECTORY));
  std::string so_far;
  for (const std::string& part : parts) {
    so_far += "/" + part;
    auto next = open_in_root(root_fd, so_far, O_PATH | O_DIRECTORY);
    if (!next.ok() && next.error().os_errno == ENOENT) {
      if (part == "..") return Error::os(ENOENT, path);
      // A dangling link as a component fails here with EEXIST, and then with ENOENT below.
      const bool made = ::mkdirat(here.get(), part.c_str(), mode) == 0;
      if (!made && errno != EEXIST) return Error::os(errno, so_far);
      Fd fresh = TRY(open_in_root(here.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      if (made && ::geteuid() == 0 && ::fchown(fresh.get(), uid, gid) != 0)
        return Error::os(errno, so_far);
      if (made && ::fchmod(fresh.get(), mode) != 0)
        return Error::os(errno, so_far);  // mkdirat(2) applied our umask
      here = std::move(fresh);
      continue;
    }
    here = TRY(std::move(next));
  }
  return here;
}

namespace {

// The text of a link; of the descriptor itself when the name is empty.
Result<std::string> link_text(int at, const std::string& name) {
  std::string out(4096, '\0');
  const ssize_t n = ::readlinkat(at, name.c_str(), out.data(), out.size());
  if (n < 0) return Error::os(errno, name);
  out.resize(static_cast<std::size_t>(n));
  return out;
}

Result<std::string> path_of(int fd) {
  return link_text(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd));
}

}  // namespace

Result<std::string> resolve_in_root(int root_fd, const std::string& path) {
  const auto found = open_in_root(root_fd, path, O_PATH);
  if (found.ok()) {
    const std::string root = TRY(path_of(root_fd));
    const std::string there = TRY(path_of(found->get()));
    // Both are named from the same root directory, ours or that of another mount namespace.
    if (root == "/" || !there.starts_with(root)) return there;
    return there.size() == root.size() ? "/" : there.substr(root.size());
  }
  const Fd link = TRY(open_in_root(root_fd, path, O_PATH | O_NOFOLLOW));
  const std::string target = TRY(link_text(link.get(), ""));
  return clean_absolute(target.starts_with('/') ? target : path + "/../" + target);
}

Result<PathStat> stat_in_root(int root_fd, const std::string& path, bool follow) {
  Fd fd = TRY(open_in_root(root_fd, path, O_PATH | (follow ? 0 : O_NOFOLLOW)));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return Error::os(errno, path);
  PathStat out;
  const std::vector<std::string> parts = split_path(path);
  out.name = parts.empty() ? "/" : parts.back();
  out.size = st.st_size;
  out.mode = st.st_mode;
  out.mtime = WallTime(std::chrono::duration_cast<WallTime::duration>(
      std::chrono::seconds(st.st_mtim.tv_sec) + std::chrono::nanoseconds(st.st_mtim.tv_nsec)));
  if (S_ISLNK(st.st_mode)) {
    out.link_target = TRY_WHILE(link_text(fd.get(), ""), path);
  }
  return out;
}

}  // namespace stack::images
