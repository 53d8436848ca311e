#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <cstring>

#include "images/tar.h"

namespace stack::images {

struct TarReader::State {
  explicit State(ByteSource& source)
      : from(source), handle(archive_read_new(), &archive_read_free) {
    archive_read_support_format_tar(handle.get());
    archive_read_support_format_empty(handle.get());
  }
  static la_ssize_t read(archive*, void* self, const void** buffer) {
    auto* me = static_cast<State*>(self);
    auto piece = me->from.next();
    if (!piece.ok()) {
      me->error = std::move(piece).error();
      return -1;
    }
    *buffer = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }
  Error failure() {
    if (error) return *error;
    const char* text = archive_error_string(handle.get());
    return Error::invalid(std::string("tar archive: ") + (text != nullptr ? text : "damaged"));
  }

  ByteSource& from;
  std::unique_ptr<archive, decltype(&archive_read_free)> handle;
  std::optional<Error> error;
  bool opened = false;
};

TarReader::TarReader(ByteSource& from) : state_(std::make_unique<State>(from)) {}
TarReader::~TarReader() = default;

namespace {

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

void fill(archive_entry* from, TarEntry& to) {
  to = TarEntry{};
  to.path = text_or_empty(archive_entry_pathname(from));
  to.hardlink = text_or_empty(archive_entry_hardlink(from));
  to.symlink = text_or_empty(archive_entry_symlink(from));
  to.mode = archive_entry_mode(from);
  if (!to.hardlink.empty()) to.mode = (to.mode & 07777U) | S_IFREG;
  to.uid = static_cast<std::uint32_t>(archive_entry_uid(from));
  to.gid = static_cast<std::uint32_t>(archive_entry_gid(from));
  to.size = archive_entry_size(from);
  to.mtime = archive_entry_mtime(from);
  to.mtime_nanos = archive_entry_mtime_nsec(from);
  to.major = static_cast<unsigned>(archive_entry_rdevmajor(from));
  to.minor = static_cast<unsigned>(archive_entry_rdevminor(from));
  archive_entry_xattr_reset(from);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
    to.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
}

}  // namespace

Result<bool> TarReader::next(TarEntry& entry) {
  State& s = *state_;
  if (!s.opened) {
    if (archive_read_open(s.handle.get(), &s, nullptr, &State::read, nullptr) != ARCHIVE_OK)
      return s.failure();
    s.opened = true;
  }
  archive_entry* raw = nullptr;
  const int rc = archive_read_next_header(s.handle.get(), &raw);
  if (rc == ARCHIVE_EOF) return false;
  // A warning is a name that the C locale cannot convert: libarchive then hands over the raw bytes,
  // which is what we want.
  if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) return s.failure();
  fill(raw, entry);
  if (entry.path.empty()) return Error::invalid("tar archive: entry without a name");
  return true;
}

Result<std::optional<TarReader::Block>> TarReader::block() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int rc = archive_read_data_block(state_->handle.get(), &data, &size, &offset);
  if (rc == ARCHIVE_EOF) return std::optional<Block>();
  if (rc != ARCHIVE_OK) return state_->failure();
  return std::optional<Block>(
      Block{std::string_view(static_cast<const char*>(data), size), offset});
}

Result<std::string> TarReader::content(std::size_t limit) {
  std::string out;
  while (true) {
    const auto piece = TRY(block());
    if (!piece) return out;
    const std::size_t start = static_cast<std::size_t>(piece->offset);
    if (start + piece->bytes.size() > limit)
      return Error::invalid("archive member is larger than " + std::to_string(limit) + " bytes");
    if (out.size() < start) out.resize(start);
    out.append(piece->bytes);
  }
}

}  // namespace stack::images
