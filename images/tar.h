// Tar archives: headers read by libarchive (ustar, pax, GNU, sparse), written by ourselves as ustar
// with pax records where needed, so that the same tree always gives the same bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "images/byte_stream.h"

namespace stack::images {

struct TarEntry {
  std::string path;
  unsigned mode =
      0;  // st_mode of Linux, type and permissions; hard links have the type of a regular file
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t size = 0;
  std::int64_t mtime = 0;
  long mtime_nanos = 0;
  std::string symlink;
  std::string hardlink;  // not empty: this entry is another name of that path
  unsigned major = 0;
  unsigned minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

class TarReader {
 public:
  explicit TarReader(ByteSource& from);
  ~TarReader();
  // False at the end of the archive.
  Result<bool> next(TarEntry& entry);
  struct Block {
    std::string_view bytes;
    std::int64_t offset = 0;
  };
  // Data of the entry; gaps are holes. nullopt at its end.
  Result<std::optional<Block>> block();
  // The whole content of the entry, at most `limit` bytes.
  Result<std::string> content(std::size_t limit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class TarWriter {
 public:
  explicit TarWriter(ByteSink& to) : to_(to) {}
  Status header(const TarEntry& entry);
  Status data(std::string_view bytes);  // entry.size bytes in all, after header()
  Status finish();
  Status file(const std::string& path, std::string_view content, std::int64_t mtime = 0);
  // A regular file of `size` bytes from a descriptor.
  Status file_from(const TarEntry& entry, int fd);

 private:
  Status pad();
  ByteSink& to_;
  std::int64_t left_ = 0;
  std::size_t padding_ = 0;
};

}  // namespace stack::images
