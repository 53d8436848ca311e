#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "images/tar.h"

namespace stack::images {
namespace {

constexpr std::size_t kBlock = 512;

struct Header {
  char bytes[kBlock] = {};
  void text(std::size_t at, std::size_t width, std::string_view value) {
    std::memcpy(bytes + at, value.data(), std::min(width, value.size()));
  }
  // Octal with a trailing NUL; false when it does not fit.
  bool number(std::size_t at, std::size_t width, std::int64_t value) {
    if (value < 0 || (width < 22 && (value >> (3 * (width - 1))) != 0)) {
      std::memset(bytes + at, '0', width - 1);
      return false;
    }
    for (std::size_t digit = width - 1; digit-- > 0; value >>= 3U) {
      bytes[at + digit] = static_cast<char>('0' + (value & 7));
    }
    return true;
  }
  void seal() {
    std::memset(bytes + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : bytes) sum += static_cast<unsigned char>(c);
    std::snprintf(bytes + 148, 8, "%06o", sum);
  }
};

// "<length> key=value\n", where the length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length)
    length = std::to_string(length).size() + rest;
  std::string out = std::to_string(length) + " ";
  out.append(key).append("=").append(value).append("\n");
  return out;
}

char type_flag(const TarEntry& entry) {
  if (!entry.hardlink.empty()) return '1';
  switch (entry.mode & S_IFMT) {
    case S_IFLNK:
      return '2';
    case S_IFCHR:
      return '3';
    case S_IFBLK:
      return '4';
    case S_IFDIR:
      return '5';
    case S_IFIFO:
      return '6';
    default:
      return '0';
  }
}

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Splits a long path into ustar's prefix and name at a slash, if that is possible.
bool put_path(Header& header, const std::string& path) {
  if (!ascii(path)) return false;
  if (path.size() <= 100) {
    header.text(0, 100, path);
    return true;
  }
  for (std::size_t slash = path.find('/'); slash != std::string::npos && slash <= 155;
       slash = path.find('/', slash + 1)) {
    if (slash > 0 && path.size() - slash - 1 <= 100 && slash + 1 < path.size()) {
      header.text(345, 155, std::string_view(path).substr(0, slash));
      header.text(0, 100, std::string_view(path).substr(slash + 1));
      return true;
    }
  }
  return false;
}

}  // namespace

Status TarWriter::header(const TarEntry& entry) {
  TRY(pad());
  Header header;
  std::string pax;
  const char type = type_flag(entry);
  std::string path = entry.path;
  if (type == '5' && !path.ends_with('/')) path += '/';
  if (!put_path(header, path)) {
    header.text(0, 100, path);
    pax += pax_record("path", path);
  }
  const std::string& link = type == '1' ? entry.hardlink : entry.symlink;
  header.text(157, 100, link);
  if (link.size() > 100 || !ascii(link)) pax += pax_record("linkpath", link);
  const std::int64_t size = type == '0' ? entry.size : 0;
  header.number(100, 8, entry.mode & 07777U);
  if (!header.number(108, 8, entry.uid)) pax += pax_record("uid", std::to_string(entry.uid));
  if (!header.number(116, 8, entry.gid)) pax += pax_record("gid", std::to_string(entry.gid));
  if (!header.number(124, 12, size)) pax += pax_record("size", std::to_string(size));
  const bool mtime_fits = header.number(136, 12, entry.mtime);
  if (!mtime_fits || entry.mtime_nanos != 0) {
    std::string value = std::to_string(entry.mtime);
    if (entry.mtime_nanos != 0) {
      char fraction[16];
      std::snprintf(fraction, sizeof fraction, ".%09ld", entry.mtime_nanos);
      value += fraction;
    }
    pax += pax_record("mtime", value);
  }
  for (const auto& [name, value] : entry.xattrs) pax += pax_record("SCHILY.xattr." + name, value);
  header.bytes[156] = type;
  header.text(257, 8, std::string_view("ustar\00000", 8));
  if (type == '3' || type == '4') {
    header.number(329, 8, entry.major);
    header.number(337, 8, entry.minor);
  }
  header.seal();
  if (!pax.empty()) {
    Header extension;
    const std::size_t slash =
        entry.path.rfind('/', entry.path.size() > 1 ? entry.path.size() - 2 : std::string::npos);
    extension.text(0, 100,
                   "PaxHeaders.0/" + entry.path.substr(slash == std::string::npos ? 0 : slash + 1));
    extension.number(100, 8, 0644);
    extension.number(108, 8, 0);
    extension.number(116, 8, 0);
    extension.number(124, 12, static_cast<std::int64_t>(pax.size()));
    extension.number(136, 12, 0);
    extension.bytes[156] = 'x';
    extension.text(257, 8, std::string_view("ustar\00000", 8));
    extension.seal();
    TRY(to_.write(std::string_view(extension.bytes, kBlock)));
    pax.resize((pax.size() + kBlock - 1) / kBlock * kBlock, '\0');
    TRY(to_.write(pax));
  }
  left_ = size;
  padding_ = static_cast<std::size_t>((512 - size % 512) % 512);
  return to_.write(std::string_view(header.bytes, kBlock));
}

Status TarWriter::data(std::string_view bytes) {
  if (static_cast<std::int64_t>(bytes.size()) > left_)
    return Error::make(ErrorKind::kInternal, "tar entry has more data than its size");
  left_ -= static_cast<std::int64_t>(bytes.size());
  return to_.write(bytes);
}

Status TarWriter::pad() {
  if (left_ != 0) return Error::make(ErrorKind::kInternal, "tar entry has less data than its size");
  static constexpr char kZeros[kBlock] = {};
  const std::size_t count = std::exchange(padding_, 0);
  return count == 0 ? ok_status() : to_.write(std::string_view(kZeros, count));
}

Status TarWriter::finish() {
  TRY(pad());
  static constexpr char kZeros[2 * kBlock] = {};
  return to_.write(std::string_view(kZeros, sizeof kZeros));
}

Status TarWriter::file(const std::string& path, std::string_view content, std::int64_t mtime) {
  TarEntry entry;
  entry.path = path;
  entry.mode = S_IFREG | 0644U;
  entry.size = static_cast<std::int64_t>(content.size());
  entry.mtime = mtime;
  TRY(header(entry));
  return data(content);
}

Status TarWriter::file_from(const TarEntry& entry, int fd) {
  TRY(header(entry));
  thread_local std::string buffer(256U << 10U, '\0');
  while (left_ > 0) {
    const std::size_t want = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(left_));
    const ssize_t n = ::read(fd, buffer.data(), want);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::os(errno, entry.path);
    if (n == 0) {
      // The file shrank while we read it: pad with zeros, the header has been written.
      std::fill_n(buffer.begin(), want, '\0');
      TRY(data(std::string_view(buffer.data(), want)));
      continue;
    }
    TRY(data(std::string_view(buffer.data(), static_cast<std::size_t>(n))));
  }
  return ok_status();
}

}  // namespace stack::images
