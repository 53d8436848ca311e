#include "images/tree_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "images/copy.h"
#include "images/paths.h"

namespace stack::images {
namespace {

bool is_root() { return ::geteuid() == 0; }

// Attributes of overlayfs in an archive could redirect or hide files of other layers: never taken
// over.
bool forbidden_xattr(const std::string& name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

// Without privileges security.* and trusted.* cannot be set, and some file systems have no
// attributes at all.
bool may_ignore_xattr_error(int err) { return err == ENOTSUP || (err == EPERM && !is_root()); }

struct timespec time_of(const TarEntry& entry) {
  struct timespec out {};
  out.tv_sec = entry.mtime;
  out.tv_nsec = entry.mtime_nanos;
  return out;
}

// Also of an O_PATH descriptor itself, with an empty name.
bool is_whiteout(int parent, const std::string& name) {
  struct stat st {};
  return ::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0 &&
         S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

std::string proc_path(int parent, const std::string& name) {
  return "/proc/self/fd/" + std::to_string(parent) + "/" + name;
}

}  // namespace

Status remove_at(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return ok_status();
  if (errno != EISDIR && errno != EPERM) return Error::os(errno, "removing " + name);
  Fd directory(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return Error::os(errno, "removing " + name);
  const int raw = directory.get();
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(directory.release()), &::closedir);
  if (!listing) return Error::os(errno, "removing " + name);
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string child = entry->d_name;
    if (child != "." && child != "..") TRY(remove_at(raw, child));
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return Error::os(errno, "removing " + name);
  return ok_status();
}

TreeWriter::TreeWriter(Fd root, TreeWriterOptions options)
    : root_(std::move(root)), options_(options) {}

Status TreeWriter::write(TarReader& reader) {
  const Content content = [&reader](int to) -> Status {
    std::int64_t written = 0;
    while (true) {
      const auto block = TRY(reader.block());
      if (!block) return ok_status();
      if (block->offset != written && ::lseek(to, block->offset, SEEK_SET) < 0)
        return Error::os(errno, "seeking");
      TRY(write_all(to, block->bytes));
      written = block->offset + static_cast<std::int64_t>(block->bytes.size());
    }
  };
  TarEntry entry;
  while (TRY(reader.next(entry))) {
    Status done = apply(entry, content);
    if (!done.ok()) return done;
  }
  return ok_status();
}

Status TreeWriter::write_entry(const TarEntry& entry, int file) {
  return apply(entry, [&](int to) -> Status {
    std::int64_t left = file < 0 ? 0 : entry.size;
    while (left > 0) {
      const ssize_t n =
          ::copy_file_range(file, nullptr, to, nullptr, static_cast<std::size_t>(left), 0);
      if (n > 0) {
        left -= n;
        continue;
      }
      if (n == 0) break;  // shorter than its header; the rest is a hole
      if (errno == EINTR) continue;
      // Between some file systems copy_file_range(2) is not possible.
      if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
        return Error::os(errno, "copying");
      FdSource source(file);
      while (left > 0) {
        std::string_view piece = TRY(source.next());
        if (piece.empty()) break;
        piece = piece.substr(0, static_cast<std::size_t>(left));
        TRY(write_all(to, piece));
        left -= static_cast<std::int64_t>(piece.size());
      }
      break;
    }
    return ok_status();
  });
}

Status TreeWriter::apply(const TarEntry& entry, const Content& content) {
  if (++entries_ > options_.max_entries)
    return Error::invalid("archive has more than " + std::to_string(options_.max_entries) +
                          " entries");
  const LayerName name = TRY(classify_layer_name(entry.path, options_.layer));
  switch (name.kind) {
    case LayerName::Kind::kSkip:
      return ok_status();
    case LayerName::Kind::kWhiteout:
      return whiteout(name.parts);
    case LayerName::Kind::kOpaque:
      return opaque(name.parts);
    case LayerName::Kind::kFile:
      break;
  }
  if (name.parts.empty()) {
    if (!S_ISDIR(entry.mode)) return Error::invalid("invalid entry name \"" + entry.path + "\"");
    Fd top = TRY(open_in_root(root_.get(), "/", O_RDONLY | O_DIRECTORY));
    TRY(set_metadata(top.get(), entry, false));
    directories_.push_back({"/", entry.mtime, entry.mtime_nanos});
    return ok_status();
  }
  Status done = apply_named(entry, name.parts, content);
  if (!done.ok()) return std::move(done).error().while_("unpacking \"" + entry.path + "\"");
  return done;
}

Status TreeWriter::apply_named(const TarEntry& entry, const std::vector<std::string>& parts,
                               const Content& content) {
  const int parent = TRY(parent_of(parts));
  const std::string& name = parts.back();
  if (!entry.hardlink.empty()) return hard_link(parent, name, entry);
  switch (entry.mode & S_IFMT) {
    case S_IFREG:
      return regular(parent, name, entry, content);
    case S_IFDIR:
      return directory(parent, name, entry, join_path(parts));
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
      return special(parent, name, entry);
    default:
      return Error::invalid("unsupported type of entry");
  }
}

Result<int> TreeWriter::parent_of(const std::vector<std::string>& parts) {
  std::string path = "/";
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) path += parts[i] + "/";
  if (parent_ && path == parent_path_) return parent_.get();
  auto found = make_directories_in_root(root_.get(), path);
  if (!found.ok() && found.error().os_errno == ENOTDIR && options_.layer) {
    TRY(replace_whiteouts(parts));
    found = make_directories_in_root(root_.get(), path);
  }
  parent_ = TRY(std::move(found));
  parent_path_ = std::move(path);
  return parent_.get();
}

// A name was removed and is made anew as a directory: what lower layers have below it stays
// removed.
Status TreeWriter::replace_whiteouts(const std::vector<std::string>& parts) {
  std::string path;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    path += "/" + parts[i];
    Fd node = TRY(open_in_root(root_.get(), path, O_PATH | O_NOFOLLOW));
    if (!is_whiteout(node.get(), "")) continue;
    Fd above = TRY(open_in_root(
        root_.get(),
        "/" + join_path({parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i)}),
        O_PATH | O_DIRECTORY));
    TRY(remove_at(above.get(), parts[i]));
    if (::mkdirat(above.get(), parts[i].c_str(), 0755) != 0) return Error::os(errno, path);
    return opaque({parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i) + 1});
  }
  return ok_status();
}

// Clears the way for an entry whose name is taken. A directory over a directory stays.
Status TreeWriter::make_room(int parent, const std::string& name, const TarEntry& entry) {
  struct stat st {};
  if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? ok_status() : Status(Error::os(errno, name));
  if (options_.no_overwrite_dir_with_non_dir && S_ISDIR(st.st_mode) != S_ISDIR(entry.mode)) {
    return Error::invalid(
        S_ISDIR(st.st_mode)
            ? "cannot overwrite directory \"" + entry.path + "\" with non-directory"
            : "cannot overwrite non-directory \"" + entry.path + "\" with directory");
  }
  if (S_ISDIR(st.st_mode) && S_ISDIR(entry.mode)) return ok_status();
  TRY(remove_at(parent, name));
  return ok_status();
}

Status TreeWriter::regular(int parent, const std::string& name, const TarEntry& entry,
                           const Content& content) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd file(::openat(parent, name.c_str(), kFlags, 0600));
  if (!file && errno == EEXIST) {
    TRY(make_room(parent, name, entry));
    file = Fd(::openat(parent, name.c_str(), kFlags, 0600));
  }
  if (!file) return Error::os(errno, "creating");
  TRY(content(file.get()));
  // A hole at the end, or in the whole file, has no block.
  if (::lseek(file.get(), 0, SEEK_END) != entry.size && ::ftruncate(file.get(), entry.size) != 0)
    return Error::os(errno, "setting the size");
  bytes_ += entry.size;
  return set_metadata(file.get(), entry, true);
}

Status TreeWriter::directory(int parent, const std::string& name, const TarEntry& entry,
                             const std::string& path) {
  bool removed_below = false;
  if (::mkdirat(parent, name.c_str(), 0700) != 0) {
    if (errno != EEXIST) return Error::os(errno, "creating");
    removed_below = options_.layer && is_whiteout(parent, name);
    TRY(make_room(parent, name, entry));
    if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST)
      return Error::os(errno, "creating");
  }
  Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return Error::os(errno, "opening");
  if (removed_below) TRY(opaque(split_path(path)));
  TRY(set_metadata(fd.get(), entry, false));
  directories_.push_back({path, entry.mtime, entry.mtime_nanos});
  return ok_status();
}

Status TreeWriter::special(int parent, const std::string& name, const TarEntry& entry) {
  const auto create = [&]() -> int {
    if (S_ISLNK(entry.mode)) return ::symlinkat(entry.symlink.c_str(), parent, name.c_str());
    return ::mknodat(parent, name.c_str(), (entry.mode & S_IFMT) | 0600U,
                     ::makedev(entry.major, entry.minor));
  };
  if (S_ISCHR(entry.mode) && entry.major == 0 && entry.minor == 0) {
    // To overlayfs this is a whiteout: a layer must not smuggle one in as a device.
    return Error::invalid("character device 0:0 is not allowed in an archive");
  }
  if (create() != 0) {
    if (errno == EPERM && !is_root() && !S_ISLNK(entry.mode))
      return ok_status();  // devices need privileges
    if (errno != EEXIST) return Error::os(errno, "creating");
    TRY(make_room(parent, name, entry));
    if (create() != 0) return Error::os(errno, "creating");
  }
  // The cached parent may lead through a name that has just been replaced.
  if (S_ISLNK(entry.mode)) parent_path_.clear();
  const auto [uid, gid] = options_.chown.value_or(std::pair<uid_t, gid_t>(entry.uid, entry.gid));
  if (is_root() && ::fchownat(parent, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
    return Error::os(errno, "setting the owner");
  // fchmodat has no AT_SYMLINK_NOFOLLOW; this name is no link, and nobody else writes to this
  // directory by name and type.
  if (!S_ISLNK(entry.mode)) {
    Fd node(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!node || ::chmod(("/proc/self/fd/" + std::to_string(node.get())).c_str(),
                         entry.mode & 07777U) != 0) {
      return Error::os(errno, "setting the mode");
    }
  }
  for (const auto& [key, value] : entry.xattrs) {
    if (forbidden_xattr(key)) continue;
    if (::lsetxattr(proc_path(parent, name).c_str(), key.c_str(), value.data(), value.size(), 0) !=
            0 &&
        !may_ignore_xattr_error(errno) &&
        errno != EPERM) {  // user.* is not allowed on links and devices
      return Error::os(errno, "setting " + key);
    }
  }
  const struct timespec times[2] = {time_of(entry), time_of(entry)};
  if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return Error::os(errno, "setting the time");
  return ok_status();
}

Status TreeWriter::hard_link(int parent, const std::string& name, const TarEntry& entry) {
  std::vector<std::string> target = split_path(entry.hardlink);
  bool outside = target.empty();
  for (const std::string& part : target) outside = outside || part == "..";
  if (outside) return Error::invalid("invalid hardlink target \"" + entry.hardlink + "\"");
  const std::string last = target.back();
  target.pop_back();
  Fd directory = TRY_WHILE(open_in_root(root_.get(), "/" + join_path(target), O_PATH | O_DIRECTORY),
                           "hard link to \"" + entry.hardlink + "\"");
  const auto link = [&] {
    return ::linkat(directory.get(), last.c_str(), parent, name.c_str(), 0);
  };
  struct stat st {};
  (void)::fstatat(directory.get(), last.c_str(), &st,
                  AT_SYMLINK_NOFOLLOW);      // linkat reports what is missing
  if (is_whiteout(directory.get(), last)) {  // a whiteout is no file of this archive
    return Error::os(ENOENT, "hard link to \"" + entry.hardlink + "\"");
  }
  if (link() != 0) {
    if (errno != EEXIST) return Error::os(errno, "hard link to \"" + entry.hardlink + "\"");
    struct stat mine {};
    if (::fstatat(parent, name.c_str(), &mine, AT_SYMLINK_NOFOLLOW) == 0 &&
        mine.st_ino == st.st_ino && mine.st_dev == st.st_dev)
      return ok_status();
    TRY(make_room(parent, name, entry));
    if (link() != 0) return Error::os(errno, "hard link to \"" + entry.hardlink + "\"");
  }
  return ok_status();
}

Status TreeWriter::set_metadata(int fd, const TarEntry& entry, bool times) {
  const auto [uid, gid] = options_.chown.value_or(std::pair<uid_t, gid_t>(entry.uid, entry.gid));
  if (is_root() && ::fchown(fd, uid, gid) != 0) return Error::os(errno, "setting the owner");
  // After fchown, which clears setuid, setgid and capabilities.
  if (::fchmod(fd, entry.mode & 07777U) != 0) return Error::os(errno, "setting the mode");
  for (const auto& [key, value] : entry.xattrs) {
    if (forbidden_xattr(key)) continue;
    if (::fsetxattr(fd, key.c_str(), value.data(), value.size(), 0) != 0 &&
        !may_ignore_xattr_error(errno)) {
      return Error::os(errno, "setting " + key);
    }
  }
  const struct timespec both[2] = {time_of(entry), time_of(entry)};
  if (times && ::futimens(fd, both) != 0) return Error::os(errno, "setting the time");
  return ok_status();
}

Status TreeWriter::whiteout(const std::vector<std::string>& parts) {
  const int parent = TRY(parent_of(parts));
  if (::mknodat(parent, parts.back().c_str(), S_IFCHR, 0) == 0) return ok_status();
  if (errno != EEXIST) return Error::os(errno, "whiteout of \"" + join_path(parts) + "\"");
  struct stat st {};
  if (::fstatat(parent, parts.back().c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
    return opaque(parts);
  return ok_status();
}

Status TreeWriter::opaque(const std::vector<std::string>& parts) {
  const std::string path = join_path(parts);
  Fd made = TRY(make_directories_in_root(root_.get(), path));
  Fd fd = TRY(open_in_root(made.get(), ".", O_RDONLY | O_DIRECTORY));
  const char* key = is_root() ? "trusted.overlay.opaque" : "user.overlay.opaque";
  if (::fsetxattr(fd.get(), key, "y", 1, 0) != 0)
    return Error::os(errno, "making \"" + path + "\" opaque");
  return ok_status();
}

Status TreeWriter::finish() {
  // Innermost last entries win; setting the time of a directory does not change its parent's.
  for (const Directory& item : directories_) {
    auto fd = open_in_root(root_.get(), item.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd.ok()) continue;  // replaced by a later entry
    struct timespec times[2] = {{item.mtime, item.nanos}, {item.mtime, item.nanos}};
    if (::futimens(fd->get(), times) != 0) return Error::os(errno, item.path);
  }
  return ok_status();
}

}  // namespace stack::images
