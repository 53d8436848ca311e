#include "runtime/shim/child.h"

namespace stack::shim {

int open_in_root(int root, const char* path, std::uint64_t flags, std::uint64_t extra_resolve) {
  return openat2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra_resolve);
}

bool is_directory(int fd) {
  struct stat st {};
  return ::fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

int open_or_create(int root, std::string_view path, bool directory) {
  Text<4096> so_far;
  int here = open_in_root(root, "/", O_PATH | O_DIRECTORY);
  while (here >= 0 && !path.empty()) {
    while (!path.empty() && path.front() == '/') path.remove_prefix(1);
    const std::size_t end = path.find('/') == std::string_view::npos ? path.size() : path.find('/');
    Text<256> name;
    name << path.substr(0, end);
    path.remove_prefix(end);
    while (!path.empty() && path.front() == '/') path.remove_prefix(1);
    if (name.size() == 0) continue;
    so_far << "/" << name.view();
    const bool last = path.empty();
    // From the root each time: a symbolic link inside is followed, but never out.
    int next = open_in_root(root, so_far.c_str(), O_PATH);
    if (next < 0 && errno == ENOENT) {
      // Made and opened by handle without following anything, so a link put there meanwhile is not
      // entered.
      if (last && !directory) {
        const int file = ::openat(here, name.c_str(),
                                  O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0644);
        if (file >= 0) ::close(file);
        next = file < 0 ? -1 : ::openat(here, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
      } else {
        next = ::mkdirat(here, name.c_str(), 0755) != 0 && errno != EEXIST
                   ? -1
                   : ::openat(here, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      }
    }
    const int error = errno;
    ::close(here);
    errno = error;
    here = next;
  }
  return here;
}

}  // namespace stack::shim
