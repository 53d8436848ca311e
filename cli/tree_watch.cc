#include "cli/tree_watch.h"

#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace stack::cli {

namespace {
namespace fs = std::filesystem;

// Whole writes, not every piece of one: what is still being written is synced when it is closed.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                  IN_MOVED_TO | IN_ATTRIB | IN_EXCL_UNLINK | IN_ONLYDIR;

bool is_real_directory(const std::string& path) {
  std::error_code ec;
  return fs::is_directory(fs::symlink_status(path, ec));
}
}  // namespace

Result<TreeWatch> TreeWatch::create(std::function<bool(const std::string&)> skip) {
  Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return Error::os(errno, "watching files");
  return TreeWatch(std::move(fd), std::move(skip));
}

Status TreeWatch::add(const std::string& path) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return Error::not_found("watch path " + path + " does not exist");
  if (is_real_directory(path)) {
    roots_.insert(path);
    return descend(path, nullptr);
  }
  const std::string parent = fs::path(path).parent_path().string();
  const int watch = ::inotify_add_watch(inotify_.get(), parent.c_str(), kEvents | IN_MASK_ADD);
  if (watch < 0) return Error::os(errno, "watching " + parent);
  paths_.emplace(watch, parent);
  singles_[path] = parent;
  return ok_status();
}

Status TreeWatch::descend(const std::string& directory, std::set<std::string>* changed) {
  const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), kEvents);
  if (watch < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return ok_status();  // gone again
    Error failed = Error::os(error, "watching " + directory);
    if (error == ENOSPC)
      return std::move(failed).fix(
          "Raise fs.inotify.max_user_watches, or ignore some directories.");
    return failed;
  }
  paths_[watch] = directory;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(directory, ec)) {
    const std::string path = entry.path().string();
    if (entry.is_directory(ec) && !entry.is_symlink(ec)) {
      if (skip_(path)) continue;
      if (changed != nullptr) changed->insert(path);
      TRY(descend(path, changed));
    } else if (changed != nullptr) {
      changed->insert(path);
    }
  }
  return ok_status();
}

bool TreeWatch::below_root(const std::string& path) const {
  return std::any_of(roots_.begin(), roots_.end(), [&](const std::string& root) {
    return path.size() > root.size() && path.compare(0, root.size(), root) == 0 &&
           path[root.size()] == '/';
  });
}

Status TreeWatch::take_event(const inotify_event& event, const char* name,
                             std::set<std::string>* changed) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {  // too much at once: everything may have changed
    for (const std::string& root : std::set<std::string>(roots_)) TRY(descend(root, changed));
    return ok_status();
  }
  const auto directory = paths_.find(event.wd);
  if (directory == paths_.end()) return ok_status();
  if ((event.mask & IN_IGNORED) != 0) {
    paths_.erase(directory);
    return ok_status();
  }
  if (event.len == 0) return ok_status();
  const std::string path = directory->second + "/" + name;
  if (!below_root(path) && !singles_.contains(path)) return ok_status();
  const bool is_directory = (event.mask & IN_ISDIR) != 0;
  if (is_directory && (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
    if (skip_(path)) return ok_status();
    changed->insert(path);
    return descend(path, changed);
  }
  // A new file counts when it is written or linked into place; an empty one when it is closed.
  if ((event.mask & IN_CREATE) != 0 && fs::is_regular_file(fs::symlink_status(path)))
    return ok_status();
  if (is_directory && (event.mask & IN_ATTRIB) != 0) return ok_status();
  changed->insert(path);
  return ok_status();
}

Status TreeWatch::take(std::set<std::string>* changed) {
  alignas(inotify_event) char buffer[16 * 1024];
  for (;;) {
    const ssize_t n = ::read(inotify_.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ok_status();
    for (ssize_t at = 0; at < n;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      TRY(take_event(event, buffer + at + sizeof event, changed));
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

}  // namespace stack::cli
