#include "cli/tar.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

namespace stack::cli {

namespace {

constexpr std::size_t kBlock = 512;

void put_octal(std::string& header, std::size_t at, std::size_t width, std::uint64_t value) {
  const std::string text = fmt::format("{:0{}o}", value, width - 1);
  header.replace(at, width - 1, text.substr(text.size() - (width - 1)));
}

std::uint64_t get_number(std::string_view field) {
  if (!field.empty() && (static_cast<unsigned char>(field[0]) & 0x80U) != 0) {  // base 256, GNU
    std::uint64_t value = static_cast<unsigned char>(field[0]) & 0x7fU;
    for (const char c : field.substr(1)) value = (value << 8U) | static_cast<unsigned char>(c);
    return value;
  }
  while (!field.empty() && field[0] == ' ') field.remove_prefix(1);
  std::uint64_t value = 0;
  std::from_chars(field.data(), field.data() + field.size(), value, 8);
  return value;
}

std::string get_text(std::string_view field) {
  return std::string(field.substr(0, field.find('\0')));
}

std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t bare = key.size() + value.size() + 3;  // " ", "=", "\n"
  std::size_t length = bare + 1;
  while (bare + std::to_string(length).size() != length)
    length = bare + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

// Opens below `directory` without following a symbolic link on the way, openat2(2), Linux 5.6.
Result<Fd> open_below(const std::filesystem::path& directory, const std::string& name, int flags,
                      unsigned mode) {
  const Fd root = TRY(open_fd(directory, O_PATH | O_DIRECTORY));
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd =
      ::syscall(SYS_openat2, root.get(), name.empty() ? "." : name.c_str(), &how, sizeof how);
  if (fd < 0) return Error::os(errno, (directory / name).string());
  return Fd(static_cast<int>(fd));
}

Result<TarEntry> entry_of(const std::filesystem::path& path, const std::string& name,
                          bool follow_link) {
  struct stat info {};
  if ((follow_link ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info)) != 0)
    return Error::os(errno, path.string());
  TarEntry entry;
  entry.name = name;
  entry.mode = info.st_mode & 07777U;
  entry.uid = info.st_uid;
  entry.gid = info.st_gid;
  entry.mtime = info.st_mtime;
  if (S_ISDIR(info.st_mode)) {
    entry.type = '5';
    if (!entry.name.ends_with('/')) entry.name += '/';
  } else if (S_ISLNK(info.st_mode)) {
    entry.type = '2';
    std::error_code ec;
    entry.link = std::filesystem::read_symlink(path, ec).string();
  } else if (S_ISREG(info.st_mode)) {
    entry.size = static_cast<std::uint64_t>(info.st_size);
  } else {
    entry.type = 0;  // sockets, fifos and devices are left out
  }
  return entry;
}

Status write_file_data(const std::filesystem::path& path, std::uint64_t size,
                       const std::function<Status(std::string_view)>& sink) {
  const Fd file = TRY(open_fd(path, O_RDONLY));
  std::uint64_t left = size;
  while (left > 0) {
    std::string piece(std::min<std::uint64_t>(left, std::uint64_t{256} << 10), '\0');
    const ssize_t n = ::read(file.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::os(errno, path.string());
    if (n == 0) return Error::conflict(path.string() + " became shorter while it was read");
    piece.resize(static_cast<std::size_t>(n));
    left -= static_cast<std::uint64_t>(n);
    TRY(sink(piece));
  }
  return sink(tar_padding(size));
}

Status write_tree(const std::filesystem::path& path, const std::string& name, bool follow_link,
                  const std::function<Status(std::string_view)>& sink) {
  const TarEntry entry = TRY(entry_of(path, name, follow_link));
  if (entry.type == 0) return ok_status();
  TRY(sink(tar_header(entry)));
  if (entry.type == '0') return write_file_data(path, entry.size, sink);
  if (entry.type != '5') return ok_status();
  std::error_code ec;
  std::vector<std::string> names;
  for (const auto& child : std::filesystem::directory_iterator(path, ec))
    names.push_back(child.path().filename());
  if (ec) return Error::os(ec.value(), path.string());
  std::sort(names.begin(), names.end());
  for (const std::string& child : names)
    TRY(write_tree(path / child, entry.name + child, false, sink));
  return ok_status();
}

}  // namespace

std::string tar_header(const TarEntry& entry) {
  std::string out;
  std::string records;
  if (entry.name.size() > 100) records += pax_record("path", entry.name);
  if (entry.link.size() > 100) records += pax_record("linkpath", entry.link);
  if (entry.size >= (std::uint64_t{1} << 33U))
    records += pax_record("size", std::to_string(entry.size));
  if (!records.empty()) {
    TarEntry extension;
    extension.name = "pax";
    extension.type = 'x';
    extension.size = records.size();
    out = tar_header(extension) + records + tar_padding(records.size());
  }
  std::string header(kBlock, '\0');
  header.replace(0, std::min<std::size_t>(100, entry.name.size()), entry.name.substr(0, 100));
  put_octal(header, 100, 8, entry.mode);
  put_octal(header, 108, 8, entry.uid);
  put_octal(header, 116, 8, entry.gid);
  put_octal(header, 124, 12, entry.size);
  put_octal(header, 136, 12, static_cast<std::uint64_t>(std::max<std::int64_t>(0, entry.mtime)));
  header.replace(148, 8, "        ");
  header[156] = entry.type;
  header.replace(157, std::min<std::size_t>(100, entry.link.size()), entry.link.substr(0, 100));
  header.replace(257, 8,
                 std::string("ustar\0"
                             "00",
                             8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return out + header;
}

std::string tar_padding(std::uint64_t size) {
  return std::string((kBlock - size % kBlock) % kBlock, '\0');
}

Status write_tar(const std::filesystem::path& source, const std::string& name, bool follow_link,
                 const std::function<Status(std::string_view)>& sink) {
  TRY(write_tree(source, name, follow_link, sink));
  return sink(std::string(2 * kBlock, '\0'));
}

Result<std::string> TarExtractor::safe_name(const std::string& name) const {
  std::string out;
  bool first = true;
  for (std::size_t start = 0; start < name.size();) {
    const std::size_t slash = std::min(name.find('/', start), name.size());
    const std::string part = name.substr(start, slash - start);
    start = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..")
      return Error::invalid(
          fmt::format("the archive names {}, which is outside of the target", name));
    if (!out.empty()) out += '/';
    out += first && !rename_to_.empty() ? rename_to_ : part;
    first = false;
  }
  return out;
}

Status TarExtractor::make(const TarEntry& entry) {
  const std::string name = TRY(safe_name(entry.name));
  ++entries_;
  if (name.empty()) return ok_status();
  const std::size_t slash = name.rfind('/');
  const Fd parent =
      TRY(open_below(directory_, slash == std::string::npos ? "" : name.substr(0, slash),
                     O_PATH | O_DIRECTORY, 0));
  const std::string base = name.substr(slash == std::string::npos ? 0 : slash + 1);
  const std::string shown = (directory_ / name).string();
  switch (entry.type) {
    case '5':
      if (::mkdirat(parent.get(), base.c_str(), entry.mode) != 0 && errno != EEXIST)
        return Error::os(errno, shown);
      return ok_status();
    case '2':
      if (::unlinkat(parent.get(), base.c_str(), 0) != 0 && errno != ENOENT)
        return Error::os(errno, shown);
      if (::symlinkat(entry.link.c_str(), parent.get(), base.c_str()) != 0)
        return Error::os(errno, shown);
      return ok_status();
    case '1': {
      // A hard link to an entry of the same archive.
      const std::string target = TRY(safe_name(entry.link));
      const Fd source = TRY(open_below(directory_, target, O_PATH | O_NOFOLLOW, 0));
      if (::unlinkat(parent.get(), base.c_str(), 0) != 0 && errno != ENOENT)
        return Error::os(errno, shown);
      if (::linkat(source.get(), "", parent.get(), base.c_str(), AT_EMPTY_PATH) != 0)
        return Error::os(errno, shown);
      return ok_status();
    }
    case '0':
    case '\0': {
      // Replaces a symbolic link instead of writing through it.
      struct stat info {};
      if (::fstatat(parent.get(), base.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISLNK(info.st_mode)) {
        (void)::unlinkat(parent.get(), base.c_str(), 0);  // the open below reports what is wrong
      }
      file_ =
          Fd(::openat(parent.get(), base.c_str(),
                      O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, entry.mode & 0777U));
      if (!file_) return Error::os(errno, shown);
      if (::fchmod(file_.get(), entry.mode & 07777U) != 0) return Error::os(errno, shown);
      return ok_status();
    }
    default:
      return ok_status();  // devices and fifos are not copied out
  }
}

Status TarExtractor::begin_entry(std::string_view header) {
  if (std::all_of(header.begin(), header.end(), [](char c) { return c == '\0'; }))
    return ok_status();
  TarEntry entry;
  entry.name = get_text(header.substr(0, 100));
  if (const std::string prefix = get_text(header.substr(345, 155));
      header.substr(257, 6) == std::string_view("ustar\0", 6) && !prefix.empty()) {
    entry.name = prefix + '/' + entry.name;
  }
  entry.mode = static_cast<unsigned>(get_number(header.substr(100, 8)));
  entry.size = get_number(header.substr(124, 12));
  entry.type = header[156];
  entry.link = get_text(header.substr(157, 100));
  const bool extension =
      entry.type == 'x' || entry.type == 'g' || entry.type == 'L' || entry.type == 'K';
  if (!extension && long_size_ != 0) entry.size = std::exchange(long_size_, 0);
  if (entry.type == '1' || entry.type == '2' || entry.type == '5')
    entry.size = 0;  // a size there has no data behind it
  left_ = entry.size;
  padding_ = tar_padding(entry.size).size();
  collecting_ = extension;
  if (extension) {
    if (entry.size > std::uint64_t{1} << 20)
      return Error::invalid("the archive has an extended header of more than 1 MiB");
    collected_.clear();
    collected_type_ = entry.type;
    return ok_status();
  }
  if (!long_name_.empty()) entry.name = std::exchange(long_name_, {});
  if (!long_link_.empty()) entry.link = std::exchange(long_link_, {});
  return make(entry);
}

// What an extended header says of the entry that follows it.
void TarExtractor::use_extension() {
  if (collected_type_ == 'L') long_name_ = get_text(collected_);
  if (collected_type_ == 'K') long_link_ = get_text(collected_);
  if (collected_type_ != 'x') return;
  std::string_view rest = collected_;
  while (!rest.empty()) {  // "LENGTH key=value\n"
    std::size_t length = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), length);
    const std::size_t space = rest.find(' ');
    if (length == 0 || length > rest.size() || space == std::string_view::npos ||
        space + 1 >= length)
      return;
    const std::string_view record = rest.substr(space + 1, length - space - 2);
    if (record.starts_with("path=")) long_name_ = record.substr(5);
    if (record.starts_with("linkpath=")) long_link_ = record.substr(9);
    if (record.starts_with("size="))
      std::from_chars(record.data() + 5, record.data() + record.size(), long_size_);
    rest.remove_prefix(length);
  }
}

Status TarExtractor::take_data(std::string_view data) {
  if (collecting_) collected_ += data;
  if (file_) TRY(write_all(file_.get(), data));
  left_ -= data.size();
  if (left_ > 0) return ok_status();
  file_.reset();
  if (collecting_) use_extension();
  collecting_ = false;
  return ok_status();
}

Status TarExtractor::feed(std::string_view bytes) {
  pending_ += bytes;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    if (left_ > 0) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
      TRY(take_data(rest.substr(0, n)));
      rest.remove_prefix(n);
    } else if (padding_ > 0) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(padding_, rest.size()));
      padding_ -= n;
      rest.remove_prefix(n);
    } else {
      if (rest.size() < kBlock) break;
      file_.reset();
      TRY(begin_entry(rest.substr(0, kBlock)));
      rest.remove_prefix(kBlock);
    }
  }
  pending_.erase(0, pending_.size() - rest.size());
  return ok_status();
}

Status TarExtractor::finish() const {
  if (left_ > 0)
    return Error::make(ErrorKind::kUnavailable, "the archive ended in the middle of a file");
  return ok_status();
}

}  // namespace stack::cli
