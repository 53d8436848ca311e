// Just enough of tar (POSIX ustar with pax path records) for `cp`: one file or directory tree in
// either direction.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace stack::cli {

struct TarEntry {
  std::string name;
  char type = '0';  // '0' file, '5' directory, '2' symbolic link
  unsigned mode = 0644;
  unsigned uid = 0;
  unsigned gid = 0;
  std::int64_t mtime = 0;
  std::uint64_t size = 0;
  std::string link;
};

std::string tar_header(const TarEntry& entry);
// Bytes that fill the last block of a file of this size.
std::string tar_padding(std::uint64_t size);

// The archive of `source` (a file, link or directory), its first entry called `name`, handed to
// `sink` piece by piece.
Status write_tar(const std::filesystem::path& source, const std::string& name, bool follow_link,
                 const std::function<Status(std::string_view)>& sink);

// Unpacks a stream below `directory`, calling what the archive's first path component is
// `rename_to` (empty: as it is). Names that would leave the directory, by "..", by an absolute path
// or through a symbolic link, are an error.
class TarExtractor {
 public:
  TarExtractor(std::filesystem::path directory, std::string rename_to)
      : directory_(std::move(directory)), rename_to_(std::move(rename_to)) {}

  Status feed(std::string_view bytes);
  Status finish() const;  // an archive that ends in the middle of an entry is an error
  std::size_t entries() const { return entries_; }

 private:
  Status begin_entry(std::string_view header);
  Status take_data(std::string_view data);
  void use_extension();
  Result<std::string> safe_name(const std::string& name) const;
  Status make(const TarEntry& entry);

  std::filesystem::path directory_;
  std::string rename_to_;
  std::string pending_;
  Fd file_;
  std::uint64_t left_ = 0;     // bytes of the current entry's data
  std::uint64_t padding_ = 0;  // and behind it
  bool collecting_ = false;    // the data is a pax or GNU long-name record
  char collected_type_ = 0;
  std::string collected_;
  std::string long_name_;
  std::string long_link_;
  std::uint64_t long_size_ = 0;
  std::size_t entries_ = 0;
};

}  // namespace stack::cli
