#include "images/copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "images/byte_stream.h"
#include "images/paths.h"
#include "images/tar.h"
#include "images/tree_reader.h"
#include "images/tree_writer.h"

namespace stack::images {
namespace {

// Splits into the directory and the last component; the last is empty for the root or a path that
// ends in "/" or "/.".
std::pair<std::string, std::string> split_last(const std::string& path) {
  std::vector<std::string> parts = split_path(path);
  if (parts.empty() || parts.back() == "..") return {path, ""};
  const std::string last = parts.back();
  parts.pop_back();
  return {"/" + join_path(parts), last};
}

Status not_found_or(Error error) {
  if (error.os_errno == ENOENT) error.kind = ErrorKind::kNotFound;
  return error;
}

// Joins the small writes of tar headers.
class PipeSink final : public ByteSink {
 public:
  explicit PipeSink(int fd) : fd_(fd) {}
  Status write(std::string_view bytes) override {
    buffer_.append(bytes);
    if (buffer_.size() < (128U << 10U)) return ok_status();
    return flush();
  }
  Status flush() {
    Status done = write_all(fd_, buffer_);
    buffer_.clear();
    return done;
  }

 private:
  int fd_;
  std::string buffer_;
};

TreeVisitor into(TarWriter& writer) {
  return [&writer](const TarEntry& entry, int file) {
    return file >= 0 ? writer.file_from(entry, file) : writer.header(entry);
  };
}

}  // namespace

Status export_tar(int root_fd, int out_fd) {
  PipeSink sink(out_fd);
  TarWriter writer(sink);
  TRY(read_tree(root_fd, {}, into(writer)));
  TRY(writer.finish());
  return sink.flush();
}

Status write_tar(int root_fd, const std::string& path, int out_fd, const std::string& rename_to) {
  PipeSink sink(out_fd);
  TarWriter writer(sink);
  const TreeVisitor visit = into(writer);
  const bool contents = path.ends_with("/.") || path == ".";
  const auto [parent, last] = split_last(path);
  auto at = open_in_root(root_fd, path, O_PATH | (contents ? O_DIRECTORY : O_NOFOLLOW));
  if (!at.ok()) return not_found_or(std::move(at).error());
  struct stat st {};
  if (::fstat(at->get(), &st) != 0) return Error::os(errno, path);
  if (S_ISDIR(st.st_mode)) {
    TreeReaderOptions options;
    options.top = true;
    options.prefix = !rename_to.empty() ? rename_to : contents || last.empty() ? "." : last;
    TRY(read_tree(at->get(), options, visit));
  } else {
    Fd directory = TRY(open_in_root(root_fd, parent, O_PATH | O_DIRECTORY));
    TRY(read_single(directory.get(), last, rename_to.empty() ? last : rename_to, true, visit));
  }
  TRY(writer.finish());
  return sink.flush();
}

Status extract_tar(int root_fd, const std::string& path, int tar_fd,
                   const ExtractOptions& options) {
  auto directory = open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return not_found_or(std::move(directory).error());
  FdSource file(tar_fd);
  const auto plain = decompress(file);
  TarReader reader(*plain);
  TreeWriterOptions writing;
  writing.no_overwrite_dir_with_non_dir = options.no_overwrite_dir_with_non_dir;
  writing.chown = options.chown;
  TreeWriter writer(std::move(*directory), writing);
  TRY(writer.write(reader));
  return writer.finish();
}

Status copy_tree(int from_root, const std::string& from, int to_root, const std::string& to,
                 const CopyOptions& options) {
  auto source = open_in_root(from_root, from, O_RDONLY | O_DIRECTORY);
  if (!source.ok()) return not_found_or(std::move(source).error());
  Fd made = TRY(make_directories_in_root(to_root, to));
  Fd target = TRY(open_in_root(made.get(), ".", O_RDONLY | O_DIRECTORY));
  TreeWriterOptions writing;
  writing.chown = options.chown;
  // COPY rootfs/ / with rootfs/bin must not put a directory in the place of the link /bin.
  writing.no_overwrite_dir_with_non_dir = true;
  TreeWriter writer(std::move(target), writing);
  TreeReaderOptions reading;
  reading.include = options.include;
  const TreeVisitor visit = [&](const TarEntry& original, int file) {
    TarEntry entry = original;
    if (options.chmod && !S_ISLNK(entry.mode)) entry.mode = (entry.mode & S_IFMT) | *options.chmod;
    return writer.write_entry(entry, file);
  };
  TRY(read_tree(source->get(), reading, visit));
  return writer.finish();
}

Status copy_file(int from_root, const std::string& from, int to_root, const std::string& to,
                 const CopyOptions& options) {
  auto source = open_in_root(from_root, from, O_RDONLY | O_NONBLOCK);
  if (!source.ok()) return not_found_or(std::move(source).error());
  struct stat st {};
  if (::fstat(source->get(), &st) != 0) return Error::os(errno, from);
  if (!S_ISREG(st.st_mode)) return Error::invalid("\"" + from + "\" is not a regular file");
  const auto [directory, name] = split_last(to);
  if (name.empty()) return Error::invalid("\"" + to + "\" does not name a file");
  Fd made = TRY(make_directories_in_root(to_root, directory));
  Fd target = TRY(open_in_root(made.get(), ".", O_RDONLY | O_DIRECTORY));
  TreeWriterOptions writing;
  writing.chown = options.chown;
  writing.no_overwrite_dir_with_non_dir = true;
  TreeWriter writer(std::move(target), writing);
  // Attributes are read from the file that is open, by its entry in /proc.
  TarEntry entry;
  entry.path = name;
  entry.mode = options.chmod ? S_IFREG | *options.chmod : st.st_mode;
  entry.uid = st.st_uid;
  entry.gid = st.st_gid;
  entry.size = st.st_size;
  entry.mtime = st.st_mtim.tv_sec;
  entry.mtime_nanos = st.st_mtim.tv_nsec;
  entry.xattrs = TRY(file_xattrs(source->get()));
  return writer.write_entry(entry, source->get());
}

}  // namespace stack::images
