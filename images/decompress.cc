#include <archive.h>
#include <archive_entry.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "images/byte_stream.h"

namespace stack::images {

Compression detect_compression(std::string_view first) {
  if (first.starts_with("\x1f\x8b")) return Compression::kGzip;
  if (first.starts_with("\x28\xb5\x2f\xfd")) return Compression::kZstd;
  if (first.starts_with("BZh") || first.starts_with(std::string_view("\xfd"
                                                                     "7zXZ\0",
                                                                     6)))
    return Compression::kOther;
  return Compression::kNone;
}

namespace {

constexpr std::size_t kOutput = 512U << 10U;
constexpr std::int64_t kBombFloor = std::int64_t{1} << 30;
constexpr std::int64_t kBombRatio = 1000;

// Counts both sides; deflate cannot exceed 1032:1, so a whole layer near that is nothing but
// padding.
struct BombGuard {
  std::int64_t in = 0;
  std::int64_t out = 0;
  Status check() const {
    if (out > kBombFloor && out / kBombRatio > in) {
      return Error::invalid(
          "compressed data expands more than a thousandfold; refusing to unpack it");
    }
    return ok_status();
  }
};

class Inflate final : public ByteSource {
 public:
  explicit Inflate(ByteSource& from) : from_(from), output_(kOutput, '\0') { start_member(); }

  Result<std::string_view> next() override {
    while (true) {
      if (state_.block_state == ISAL_BLOCK_FINISH) {
        if (!TRY(more_input())) return std::string_view();
        // Padding of zeros after the last member is allowed, as gzip(1) does.
        if (input_[0] == '\0') return std::string_view();
        const std::string_view rest = input_;
        start_member();
        input_ = rest;
      }
      if (input_.empty() && !TRY(more_input())) return Error::invalid("gzip stream ends early");
      state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(input_.data()));
      state_.avail_in = static_cast<std::uint32_t>(input_.size());
      state_.next_out = reinterpret_cast<std::uint8_t*>(output_.data());
      state_.avail_out = static_cast<std::uint32_t>(output_.size());
      const int rc = isal_inflate(&state_);
      const std::size_t used = input_.size() - state_.avail_in;
      const std::size_t made = output_.size() - state_.avail_out;
      input_.remove_prefix(used);
      if (rc != ISAL_DECOMP_OK) return Error::invalid("gzip stream is damaged");
      guard_.in += static_cast<std::int64_t>(used);
      guard_.out += static_cast<std::int64_t>(made);
      TRY(guard_.check());
      if (made > 0) return std::string_view(output_.data(), made);
    }
  }

 private:
  void start_member() {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }
  Result<bool> more_input() {
    if (input_.empty()) input_ = TRY(from_.next());
    return !input_.empty();
  }

  ByteSource& from_;
  inflate_state state_{};
  std::string output_;
  std::string_view input_;
  BombGuard guard_;
};

class Zstd final : public ByteSource {
 public:
  explicit Zstd(ByteSource& from)
      : from_(from), stream_(ZSTD_createDStream(), &ZSTD_freeDStream), output_(kOutput, '\0') {}

  Result<std::string_view> next() override {
    while (true) {
      if (input_.pos == input_.size) {
        const std::string_view piece = TRY(from_.next());
        if (piece.empty()) {
          if (inside_frame_) return Error::invalid("zstd stream ends early");
          return std::string_view();
        }
        guard_.in += static_cast<std::int64_t>(piece.size());
        input_ = {piece.data(), piece.size(), 0};
      }
      ZSTD_outBuffer out{output_.data(), output_.size(), 0};
      const std::size_t rc = ZSTD_decompressStream(stream_.get(), &out, &input_);
      if (ZSTD_isError(rc) != 0U)
        return Error::invalid(std::string("zstd stream is damaged: ") + ZSTD_getErrorName(rc));
      inside_frame_ = rc != 0;
      guard_.out += static_cast<std::int64_t>(out.pos);
      TRY(guard_.check());
      if (out.pos > 0) return std::string_view(output_.data(), out.pos);
    }
  }

 private:
  ByteSource& from_;
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream_;
  std::string output_;
  ZSTD_inBuffer input_{nullptr, 0, 0};
  bool inside_frame_ = false;
  BombGuard guard_;
};

// xz and bzip2, rare: libarchive's filters over a "raw" archive.
class ArchiveFilter final : public ByteSource {
 public:
  explicit ArchiveFilter(ByteSource& from)
      : from_(from), archive_(archive_read_new(), &archive_read_free) {
    archive_read_support_filter_all(archive_.get());
    archive_read_support_format_raw(archive_.get());
  }

  Result<std::string_view> next() override {
    if (!opened_) {
      archive_entry* entry = nullptr;
      if (archive_read_open(archive_.get(), this, nullptr, &ArchiveFilter::read, nullptr) !=
              ARCHIVE_OK ||
          archive_read_next_header(archive_.get(), &entry) != ARCHIVE_OK) {
        return failure();
      }
      opened_ = true;
    }
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int rc = archive_read_data_block(archive_.get(), &data, &size, &offset);
    if (rc == ARCHIVE_EOF) return std::string_view();
    if (rc != ARCHIVE_OK) return failure();
    guard_.out += static_cast<std::int64_t>(size);
    TRY(guard_.check());
    return std::string_view(static_cast<const char*>(data), size);
  }

 private:
  static la_ssize_t read(archive*, void* self, const void** buffer) {
    auto* me = static_cast<ArchiveFilter*>(self);
    auto piece = me->from_.next();
    if (!piece.ok()) {
      me->error_ = std::move(piece).error();
      return -1;
    }
    me->guard_.in += static_cast<std::int64_t>(piece->size());
    *buffer = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }
  Error failure() {
    if (error_) return *error_;
    const char* text = archive_error_string(archive_.get());
    return Error::invalid(std::string("compressed data is damaged: ") +
                          (text != nullptr ? text : "unknown reason"));
  }

  ByteSource& from_;
  std::unique_ptr<archive, decltype(&archive_read_free)> archive_;
  std::optional<Error> error_;
  bool opened_ = false;
  BombGuard guard_;
};

// Looks at the first bytes, then stands for the right decompressor.
class Detecting final : public ByteSource {
 public:
  explicit Detecting(ByteSource& from) : from_(from), replay_(*this) {}

  Result<std::string_view> next() override {
    if (inner_) return inner_->next();
    if (plain_) return replay_.next();
    // A pipe may give a byte at a time; the magic needs six.
    while (head_.size() < 6) {
      const std::string_view piece = TRY(from_.next());
      if (piece.empty()) break;
      head_.append(piece);
    }
    switch (detect_compression(head_)) {
      case Compression::kGzip:
        inner_ = std::make_unique<Inflate>(replay_);
        break;
      case Compression::kZstd:
        inner_ = std::make_unique<Zstd>(replay_);
        break;
      case Compression::kOther:
        inner_ = std::make_unique<ArchiveFilter>(replay_);
        break;
      case Compression::kNone:
        plain_ = true;
        return replay_.next();
    }
    return inner_->next();
  }

 private:
  struct Replay final : ByteSource {
    explicit Replay(Detecting& d) : owner(d) {}
    Result<std::string_view> next() override {
      if (!given) {
        given = true;
        if (!owner.head_.empty()) return std::string_view(owner.head_);
      }
      return owner.from_.next();
    }
    Detecting& owner;
    bool given = false;
  };

  ByteSource& from_;
  std::string head_;
  Replay replay_;
  std::unique_ptr<ByteSource> inner_;
  bool plain_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> decompress(ByteSource& from) {
  return std::make_unique<Detecting>(from);
}

}  // namespace stack::images
