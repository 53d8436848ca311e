#include "images/tree_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>

namespace stack::images {
namespace {

std::string proc_path(int parent, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(parent) + (name.empty() ? "" : "/" + name);
}

Result<std::vector<std::string>> sorted_names(int directory) {
  Fd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy) return Error::os(errno, "listing a directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(copy.release()), &::closedir);
  if (!listing) return Error::os(errno, "listing a directory");
  std::vector<std::string> out;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// All attributes of a name that belong into an archive, sorted. `opaque` tells of overlayfs's mark.
Status read_xattrs(int parent, const std::string& name, TarEntry& entry, bool& opaque) {
  const std::string path = proc_path(parent, name);
  // listxattr follows the magic link of the descriptor itself; llistxattr would look at the link in
  // /proc.
  const auto list = [&](char* to, std::size_t n) {
    return name.empty() ? ::listxattr(path.c_str(), to, n) : ::llistxattr(path.c_str(), to, n);
  };
  const auto get = [&](const char* key, char* to, std::size_t n) {
    return name.empty() ? ::getxattr(path.c_str(), key, to, n)
                        : ::lgetxattr(path.c_str(), key, to, n);
  };
  char small[1024];
  std::string names;
  ssize_t n = list(small, sizeof small);
  if (n < 0 && errno == ERANGE) {
    names.resize(65536);
    n = list(names.data(), names.size());
    if (n >= 0) names.resize(static_cast<std::size_t>(n));
  } else if (n >= 0) {
    names.assign(small, static_cast<std::size_t>(n));
  }
  if (n < 0)
    return errno == ENOTSUP ? ok_status()
                            : Status(Error::os(errno, "listing the attributes of " + entry.path));
  for (std::size_t at = 0; at < names.size();) {
    const std::string key = names.c_str() + at;
    at += key.size() + 1;
    if (key == "security.selinux") continue;
    std::string value(65536, '\0');
    const ssize_t size = get(key.c_str(), value.data(), value.size());
    if (size < 0) continue;  // removed meanwhile, or not for us to see
    value.resize(static_cast<std::size_t>(size));
    if (key == "trusted.overlay.opaque" || key == "user.overlay.opaque")
      opaque = opaque || value == "y";
    if (key == "trusted.overlay.redirect" || key == "trusted.overlay.metacopy") {
      return Error::make(ErrorKind::kInternal, entry.path + " was written by an overlay with " +
                                                   key + ", which a layer cannot express");
    }
    if (key.starts_with("trusted.overlay.") || key.starts_with("user.overlay.")) continue;
    entry.xattrs.emplace_back(key, std::move(value));
  }
  std::sort(entry.xattrs.begin(), entry.xattrs.end());
  return ok_status();
}

void from_stat(const struct stat& st, TarEntry& entry) {
  entry.mode = st.st_mode;
  entry.uid = st.st_uid;
  entry.gid = st.st_gid;
  entry.size = S_ISREG(st.st_mode) ? st.st_size : 0;
  entry.mtime = st.st_mtim.tv_sec;
  entry.mtime_nanos = st.st_mtim.tv_nsec;
  entry.major = ::major(st.st_rdev);
  entry.minor = ::minor(st.st_rdev);
}

class Walk {
 public:
  Walk(const TreeReaderOptions& options, const TreeVisitor& visit)
      : options_(options), visit_(visit) {}

  Status directory(int fd, const std::string& relative) {
    for (const std::string& name : TRY(sorted_names(fd))) {
      const std::string path = relative.empty() ? name : relative + "/" + name;
      TRY(child(fd, name, path));
    }
    return ok_status();
  }

  std::string entry_name(const std::string& relative) const {
    if (options_.prefix.empty()) return relative;
    return relative.empty() ? options_.prefix : options_.prefix + "/" + relative;
  }

  Status child(int parent, const std::string& name, const std::string& relative) {
    struct stat st {};
    if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? ok_status() : Status(Error::os(errno, relative));
    }
    const bool is_directory = S_ISDIR(st.st_mode);
    const bool wanted = !options_.include || options_.include(relative, is_directory);
    if (!wanted && !is_directory) return ok_status();
    if (S_ISSOCK(st.st_mode)) return ok_status();  // a socket is not content
    TarEntry entry;
    entry.path = entry_name(relative);
    from_stat(st, entry);
    if (options_.overlay_upper && S_ISCHR(st.st_mode) && st.st_rdev == 0)
      return whiteout(relative, name);
    if (is_directory) {
      Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd) return Error::os(errno, relative);
      if (wanted) TRY(visit_directory(fd.get(), entry, relative));
      return directory(fd.get(), relative);
    }
    return leaf(parent, name, entry, st);
  }

  Status visit_directory(int fd, TarEntry& entry, const std::string& relative) {
    bool opaque = false;
    if (options_.xattrs) TRY(read_xattrs(fd, "", entry, opaque));
    TRY(visit_(entry, -1));
    if (!options_.overlay_upper || !opaque) return ok_status();
    TarEntry mark;
    mark.path = entry_name(relative.empty() ? ".wh..wh..opq" : relative + "/.wh..wh..opq");
    mark.mode = S_IFREG;
    return visit_(mark, -1);
  }

  Status whiteout(const std::string& relative, const std::string& name) {
    TarEntry entry;
    entry.path = entry_name(relative.substr(0, relative.size() - name.size()) + ".wh." + name);
    entry.mode = S_IFREG;
    return visit_(entry, -1);
  }

  Status leaf(int parent, const std::string& name, TarEntry& entry, const struct stat& st) {
    if (S_ISLNK(st.st_mode)) {
      std::string target(4096, '\0');
      const ssize_t n = ::readlinkat(parent, name.c_str(), target.data(), target.size());
      if (n < 0) return Error::os(errno, entry.path);
      target.resize(static_cast<std::size_t>(n));
      entry.symlink = std::move(target);
    }
    if (st.st_nlink > 1) {
      const auto [first, fresh] = links_.emplace(std::pair(st.st_dev, st.st_ino), entry.path);
      if (!fresh) {
        entry.hardlink = first->second;
        entry.size = 0;
        return visit_(entry, -1);
      }
    }
    bool opaque = false;
    if (options_.xattrs) TRY(read_xattrs(parent, name, entry, opaque));
    if (!S_ISREG(st.st_mode)) return visit_(entry, -1);
    Fd file(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file) return Error::os(errno, entry.path);
    struct stat opened {};
    // The name may have been exchanged since fstatat: the header must describe what is read.
    if (::fstat(file.get(), &opened) != 0 || !S_ISREG(opened.st_mode))
      return Error::os(EAGAIN, entry.path + " changed while it was read");
    from_stat(opened, entry);
    return visit_(entry, file.get());
  }

 private:
  const TreeReaderOptions& options_;
  const TreeVisitor& visit_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;
};

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> file_xattrs(int fd) {
  TarEntry entry;
  bool opaque = false;
  TRY(read_xattrs(fd, "", entry, opaque));
  return std::move(entry.xattrs);
}

Status read_tree(int directory_fd, const TreeReaderOptions& options, const TreeVisitor& visit) {
  Walk walk(options, visit);
  Fd top(::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top) return Error::os(errno, "opening a directory");
  if (options.top) {
    struct stat st {};
    if (::fstat(top.get(), &st) != 0) return Error::os(errno, "fstat");
    TarEntry entry;
    entry.path = options.prefix.empty() ? "." : options.prefix;
    from_stat(st, entry);
    TRY(walk.visit_directory(top.get(), entry, ""));
  }
  return walk.directory(top.get(), "");
}

Status read_single(int parent_fd, const std::string& name, const std::string& entry_name,
                   bool xattrs, const TreeVisitor& visit) {
  struct stat st {};
  if (::fstatat(parent_fd, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return Error::os(errno, name);
  TreeReaderOptions options;
  options.xattrs = xattrs;
  Walk walk(options, visit);
  TarEntry entry;
  entry.path = entry_name;
  from_stat(st, entry);
  st.st_nlink = 1;
  return walk.leaf(parent_fd, name, entry, st);
}

}  // namespace stack::images
