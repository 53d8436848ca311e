// Streams of bytes between stages of a pipeline: read, hash, store, decompress, unpack.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"

namespace stack::images {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next piece, valid until the next call; empty at the end.
  virtual Result<std::string_view> next() = 0;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status write(std::string_view bytes) = 0;
};

class FdSource final : public ByteSource {
 public:
  explicit FdSource(int fd, std::size_t buffer = 256U << 10U);
  Result<std::string_view> next() override;

 private:
  int fd_;
  std::string buffer_;
};

class FdSink final : public ByteSink {
 public:
  explicit FdSink(int fd) : fd_(fd) {}
  Status write(std::string_view bytes) override { return write_all(fd_, bytes); }

 private:
  int fd_;
};

// Hashes and counts what passes through it.
class HashingSource final : public ByteSource {
 public:
  explicit HashingSource(ByteSource& from) : from_(from) {}
  Result<std::string_view> next() override;
  std::string digest() { return "sha256:" + hash_.finish(); }
  std::int64_t bytes() const { return bytes_; }

 private:
  ByteSource& from_;
  Sha256 hash_;
  std::int64_t bytes_ = 0;
};

// Shows what passes through it to somebody else.
class TappedSource final : public ByteSource {
 public:
  TappedSource(ByteSource& from, std::function<Status(std::string_view)> tap)
      : from_(from), tap_(std::move(tap)) {}
  Result<std::string_view> next() override {
    const std::string_view piece = TRY(from_.next());
    if (!piece.empty()) TRY(tap_(piece));
    return piece;
  }

 private:
  ByteSource& from_;
  std::function<Status(std::string_view)> tap_;
};

enum class Compression { kNone, kGzip, kZstd, kOther };
Compression detect_compression(std::string_view first_bytes);
// Decompresses gzip (several members too), zstd, xz, bzip2; anything else passes through. Refuses a
// bomb: more than a GiB that is more than a thousand times its input. `from` must outlive it.
std::unique_ptr<ByteSource> decompress(ByteSource& from);

// Runs a source on a thread of its own, some megabytes ahead of the consumer. The source is not
// touched after the destructor.
std::unique_ptr<ByteSource> read_ahead(ByteSource& from);

}  // namespace stack::images
