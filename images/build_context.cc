#include "images/build_context.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/sha256.h"
#include "images/byte_stream.h"
#include "images/copy.h"
#include "images/glob.h"
#include "images/paths.h"
#include "images/tar.h"
#include "images/tree_reader.h"

namespace stack::images {
namespace {

Error not_found(const std::string& path, const CopySource& source) {
  Error error = Error::invalid("\"" + path + "\": not found");
  if (source.ignore == nullptr) return error;
  if (source.ignore->excluded(path))
    return std::move(error).fix(".dockerignore excludes it from the build context.");
  return std::move(error).fix("The path is relative to the build context.");
}

std::vector<std::string> names_in(int root, const std::string& directory) {
  std::vector<std::string> out;
  auto fd = open_in_root(root, directory, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) return out;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(fd->release()), &::closedir);
  while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") out.push_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Component by component, so that "*" never crosses a slash.
void glob(int root, const std::vector<std::string>& parts, std::size_t at,
          const std::string& so_far, std::vector<std::string>& out) {
  if (at == parts.size()) {
    out.push_back(so_far);
    return;
  }
  if (!has_glob(parts[at])) {
    const std::string path = so_far + "/" + parts[at];
    if (open_in_root(root, path, O_PATH | O_NOFOLLOW).ok()) glob(root, parts, at + 1, path, out);
    return;
  }
  for (const std::string& name : names_in(root, so_far.empty() ? "/" : so_far)) {
    if (path_match(parts[at], name)) glob(root, parts, at + 1, so_far + "/" + name, out);
  }
}

Result<struct stat> stat_of(const CopySource& source, const std::string& path) {
  auto fd = open_in_root(source.root, path, O_PATH);
  if (!fd.ok()) {
    if (fd.error().os_errno == ENOENT || fd.error().os_errno == ENOTDIR)
      return not_found(path, source);
    return std::move(fd).error();
  }
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) return Error::os(errno, path);
  return st;
}

std::string below(const std::string& directory, const std::string& relative) {
  return directory == "/" ? relative : directory.substr(1) + "/" + relative;
}

// Which names below a copied directory are taken.
std::function<bool(const std::string&, bool)> filter(const CopySource& source,
                                                     const std::string& directory,
                                                     const std::vector<std::string>& excludes) {
  if ((source.ignore == nullptr || source.ignore->empty()) && excludes.empty()) return nullptr;
  const DockerIgnore* ignore = source.ignore;
  return [ignore, directory, excludes](const std::string& relative, bool) {
    if (ignore != nullptr && ignore->excluded(below(directory, relative))) return false;
    return std::none_of(excludes.begin(), excludes.end(), [&](const std::string& pattern) {
      return ignore_match(pattern, relative);
    });
  };
}

void hash_entry(Sha256& hash, const TarEntry& entry) {
  hash.update(entry.path);
  hash.update(std::string(1, '\0') + std::to_string(entry.mode) + " " + std::to_string(entry.size) +
              " " + std::to_string(entry.major) + ":" + std::to_string(entry.minor) + "\n");
  hash.update(entry.symlink + std::string(1, '\0') + entry.hardlink + std::string(1, '\0'));
}

Status hash_content(Sha256& hash, int file) {
  FdSource source(file);
  while (true) {
    const std::string_view piece = TRY(source.next());
    if (piece.empty()) return ok_status();
    hash.update(piece);
  }
}

// True for a tar archive, compressed or not, as ADD recognises it: by content, not by name.
bool is_archive(int root, const std::string& path) {
  auto fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK);
  if (!fd.ok()) return false;
  char head[512] = {};
  const ssize_t n = ::pread(fd->get(), head, sizeof head, 0);
  const std::string_view bytes(head, n > 0 ? static_cast<std::size_t>(n) : 0);
  if (detect_compression(bytes) == Compression::kNone &&
      (bytes.size() < 512 || bytes.substr(257, 5) != "ustar"))
    return false;
  FdSource raw(fd->get());
  const auto plain = decompress(raw);
  TarReader reader(*plain);
  TarEntry entry;
  const auto first = reader.next(entry);
  return first.ok() && *first;
}

bool is_directory_in(int root, const std::string& path) {
  return open_in_root(root, path, O_PATH | O_DIRECTORY).ok();
}

}  // namespace

Result<std::vector<CopyItem>> expand_source(const CopySource& source, const std::string& pattern) {
  const std::string clean = clean_absolute(pattern);
  std::vector<std::string> paths;
  if (has_glob(clean)) {
    glob(source.root, split_path(clean), 0, "", paths);
    if (source.ignore != nullptr)
      std::erase_if(
          paths, [&](const std::string& path) { return source.ignore->excluded(path.substr(1)); });
    if (paths.empty()) return not_found(clean, source);
  } else {
    if (source.ignore != nullptr && clean != "/" &&
        source.ignore->can_skip_directory(clean.substr(1)))
      return not_found(clean, source);
    paths.push_back(clean);
  }
  std::vector<CopyItem> out;
  for (const std::string& path : paths) {
    const struct stat st = TRY(stat_of(source, path));
    if (source.ignore != nullptr && !S_ISDIR(st.st_mode) && source.ignore->excluded(path.substr(1)))
      return not_found(path, source);
    out.push_back({path, S_ISDIR(st.st_mode)});
  }
  return out;
}

Result<std::string> content_digest(const CopySource& source, const std::vector<CopyItem>& items,
                                   const std::vector<std::string>& excludes) {
  Sha256 hash;
  const TreeVisitor visit = [&](const TarEntry& entry, int file) -> Status {
    hash_entry(hash, entry);
    return file >= 0 ? hash_content(hash, file) : ok_status();
  };
  for (const CopyItem& item : items) {
    // The name decides where a file ends up; a directory gives only its contents.
    hash.update(item.is_directory ? "directory\n"
                                  : "file " + item.path.substr(item.path.rfind('/')) + "\n");
    if (item.is_directory) {
      Fd directory = TRY(open_in_root(source.root, item.path, O_RDONLY | O_DIRECTORY));
      TreeReaderOptions options;
      options.include = filter(source, item.path, excludes);
      TRY(read_tree(directory.get(), options, visit));
    } else {
      Fd file = TRY(open_in_root(source.root, item.path, O_RDONLY | O_NONBLOCK));
      struct stat st {};
      if (::fstat(file.get(), &st) != 0) return Error::os(errno, item.path);
      hash.update(std::to_string(st.st_mode) + "\n");
      if (S_ISREG(st.st_mode)) TRY(hash_content(hash, file.get()));
    }
  }
  return hash.finish();
}

Status copy_items(const CopySource& source, const CopyOrder& order, int root_fd) {
  CopyOptions options;
  options.chmod = order.chmod;
  if (order.chown) {
    options.chown = std::pair<uid_t, gid_t>(order.chown->first, order.chown->second);
  } else if (source.reset_owner) {
    options.chown = std::pair<uid_t, gid_t>(0, 0);
  }
  const bool into =
      order.into_directory || order.destination.ends_with('/') || order.items.size() > 1;
  for (const CopyItem& item : order.items) {
    const uid_t uid = options.chown ? options.chown->first : 0;
    const gid_t gid = options.chown ? options.chown->second : 0;
    if (item.is_directory) {
      options.include = filter(source, item.path, order.excludes);
      TRY(make_directories_in_root(root_fd, order.destination, 0755, uid, gid));
      TRY(copy_tree(source.root, item.path, root_fd, order.destination, options));
      continue;
    }
    if (order.unpack && is_archive(source.root, item.path)) {
      Fd file = TRY(open_in_root(source.root, item.path, O_RDONLY));
      TRY(make_directories_in_root(root_fd, order.destination));
      ExtractOptions extract;
      if (order.chown) extract.chown = options.chown;
      TRY(extract_tar(root_fd, order.destination, file.get(), extract));
      continue;
    }
    std::string target = order.destination;
    if (into || is_directory_in(root_fd, target)) {
      TRY(make_directories_in_root(root_fd, target, 0755, uid, gid));
      target += (target.ends_with('/') ? "" : "/") + item.path.substr(item.path.rfind('/') + 1);
    } else {
      TRY(make_directories_in_root(root_fd, target.substr(0, target.rfind('/') + 1), 0755, uid,
                                   gid));
    }
    TRY(copy_file(source.root, item.path, root_fd, target, options));
  }
  return ok_status();
}

}  // namespace stack::images
