#include "images/byte_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace stack::images {

FdSource::FdSource(int fd, std::size_t buffer) : fd_(fd), buffer_(buffer, '\0') {}

Result<std::string_view> FdSource::next() {
  while (true) {
    const ssize_t n = ::read(fd_, buffer_.data(), buffer_.size());
    if (n >= 0) return std::string_view(buffer_.data(), static_cast<std::size_t>(n));
    if (errno != EINTR) return Error::os(errno, "reading");
  }
}

Result<std::string_view> HashingSource::next() {
  const std::string_view piece = TRY(from_.next());
  hash_.update(piece);
  bytes_ += static_cast<std::int64_t>(piece.size());
  return piece;
}

namespace {

class ReadAhead final : public ByteSource {
 public:
  explicit ReadAhead(ByteSource& from)
      : from_(from), thread_([this](std::stop_token stop) { run(stop); }) {}
  ~ReadAhead() override {
    thread_.request_stop();
    changed_.notify_all();
  }

  Result<std::string_view> next() override {
    std::unique_lock lock(mutex_);
    if (!current_.empty()) free_.push_back(std::move(current_));
    current_.clear();
    changed_.notify_all();
    changed_.wait(lock, [this] { return !ready_.empty() || done_; });
    if (!ready_.empty()) {
      current_ = std::move(ready_.front());
      ready_.pop_front();
      return std::string_view(current_);
    }
    if (error_) return *error_;
    return std::string_view();
  }

 private:
  static constexpr std::size_t kPiece = 512U << 10U;
  static constexpr std::size_t kDepth = 8;

  void run(const std::stop_token& stop) {
    std::string piece;
    while (!stop.stop_requested()) {
      Result<std::string_view> bytes = from_.next();
      if (!bytes.ok()) {
        push(std::move(piece), stop);
        finish(std::move(bytes).error());
        return;
      }
      if (bytes->empty()) {
        push(std::move(piece), stop);
        finish(std::nullopt);
        return;
      }
      piece.append(*bytes);
      if (piece.size() >= kPiece) piece = push(std::move(piece), stop);
    }
    finish(Error::make(ErrorKind::kCancelled, "cancelled"));
  }

  // Queues a piece when there is room; returns an empty buffer, used before if possible.
  std::string push(std::string piece, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_.size() < kDepth || stop.stop_requested(); });
    if (!piece.empty()) ready_.push_back(std::move(piece));
    std::string buffer;
    if (!free_.empty()) {
      buffer = std::move(free_.back());
      free_.pop_back();
    }
    changed_.notify_all();
    buffer.clear();
    buffer.reserve(kPiece + (256U << 10U));
    return buffer;
  }

  void finish(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    done_ = true;
    changed_.notify_all();
  }

  ByteSource& from_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> ready_;
  std::vector<std::string> free_;
  std::string current_;
  std::optional<Error> error_;
  bool done_ = false;
  std::jthread thread_;  // last: joined before the rest goes
};

}  // namespace

std::unique_ptr<ByteSource> read_ahead(ByteSource& from) {
  return std::make_unique<ReadAhead>(from);
}

}  // namespace stack::images
