#include "runtime/shim/log_file.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

namespace stack::shim {

using runtime::kLogPiece;
using runtime::kLogRecordMax;

namespace {

constexpr std::size_t kGather = 512U << 10U;

struct Line {
  std::size_t size = 0;
  bool continued = false;  // a piece of this line has been written
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
};

// Page-aligned and apart, so that they can be given back.
alignas(4096) char g_gathered[kGather + kLogRecordMax];
alignas(4096) char g_partial[2][kLogPiece];
Line g_line[2];

}  // namespace

bool LogFile::open(std::string_view path, std::uint64_t max_size, std::uint32_t max_file) {
  path_ << path;
  max_size_ = max_size;
  max_file_ = max_file;
  if (path.empty()) return true;
  fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  struct stat st {};
  if (fd_ < 0 || ::fstat(fd_, &st) != 0) return false;
  size_ = static_cast<std::uint64_t>(st.st_size);
  return true;
}

void LogFile::record(bool is_stderr, std::string_view text, std::int64_t seconds,
                     std::uint32_t nanoseconds) {
  if (max_size_ != 0 && size_ >= max_size_) rotate();
  time_.set(seconds, nanoseconds);
  const std::size_t n =
      runtime::encode_log_record(text, is_stderr, time_.text(), g_gathered + gathered_);
  gathered_ += n;
  size_ += n;
  if (gathered_ >= kGather) flush();
}

void LogFile::add(bool is_stderr, std::string_view bytes) {
  if (path_.size() == 0) return;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t seconds = now.tv_sec;
  const auto nanoseconds = static_cast<std::uint32_t>(now.tv_nsec);
  Line& line = g_line[is_stderr ? 1 : 0];
  char* partial = g_partial[is_stderr ? 1 : 0];
  // Every piece of one line carries the time of the first; a line that came in parts but fits
  // carries that of its end.
  const auto stamp = [&](std::string_view text, bool ends) {
    const bool old = line.continued;
    record(is_stderr, text, old ? line.seconds : seconds, old ? line.nanoseconds : nanoseconds);
    if (!old && !ends) {
      line.seconds = seconds;
      line.nanoseconds = nanoseconds;
    }
    line.continued = !ends;
  };
  while (!bytes.empty()) {
    const void* newline = std::memchr(bytes.data(), '\n', bytes.size());
    const std::size_t length =
        newline != nullptr
            ? static_cast<std::size_t>(static_cast<const char*>(newline) - bytes.data())
            : bytes.size();
    if (line.size + length > kLogPiece || (line.size + length == kLogPiece && newline == nullptr)) {
      // A full piece without a newline.
      const std::size_t take = kLogPiece - line.size;
      if (line.size == 0) {
        stamp(bytes.substr(0, take), false);
      } else {
        std::memcpy(partial + line.size, bytes.data(), take);
        stamp({partial, kLogPiece}, false);
        line.size = 0;
      }
      bytes.remove_prefix(take);
    } else if (newline == nullptr) {
      std::memcpy(partial + line.size, bytes.data(), length);
      line.size += length;
      return;
    } else if (line.size == 0) {
      stamp(bytes.substr(0, length + 1), true);
      bytes.remove_prefix(length + 1);
    } else {
      static char whole[kLogPiece + 1];
      std::memcpy(whole, partial, line.size);
      std::memcpy(whole + line.size, bytes.data(), length + 1);
      const std::size_t size = line.size + length + 1;
      line.size = 0;
      stamp({whole, size}, true);
      bytes.remove_prefix(length + 1);
    }
  }
}

void LogFile::finish(bool is_stderr) {
  Line& line = g_line[is_stderr ? 1 : 0];
  if (path_.size() == 0 || line.size == 0) return;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  record(is_stderr, {g_partial[is_stderr ? 1 : 0], line.size},
         line.continued ? line.seconds : now.tv_sec,
         line.continued ? line.nanoseconds : static_cast<std::uint32_t>(now.tv_nsec));
  line.size = 0;
  line.continued = false;
}

std::string_view LogFile::unfinished(bool is_stderr) const {
  return {g_partial[is_stderr ? 1 : 0], g_line[is_stderr ? 1 : 0].size};
}

void LogFile::flush() {
  if (gathered_ == 0) return;
  const std::uint64_t good = size_ - gathered_;
  if (!write_text(fd_, {g_gathered, gathered_})) {
    // A full disk loses these lines, but the file keeps to whole records.
    size_ = ::ftruncate(fd_, static_cast<off_t>(good)) == 0 ? good : size_;
  }
  gathered_ = 0;
}

void LogFile::rotate() {
  flush();
  ::close(fd_);
  const auto name = [&](std::uint32_t n) {
    Text<4128> text;
    text << path_.view() << "." << n;
    return text;
  };
  if (max_file_ > 1) {
    // The oldest falls out by being renamed over.
    for (std::uint32_t n = max_file_ - 1; n > 1; --n)
      (void)::rename(name(n - 1).c_str(), name(n).c_str());
    (void)::rename(path_.c_str(), name(1).c_str());
  } else {
    (void)::unlink(path_.c_str());
  }
  fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  size_ = 0;
}

void LogFile::release_memory() {
  ::madvise(g_gathered, sizeof g_gathered, MADV_DONTNEED);
  for (int i = 0; i < 2; ++i) {
    if (g_line[i].size == 0) ::madvise(g_partial[i], sizeof g_partial[i], MADV_DONTNEED);
  }
}

}  // namespace stack::shim
