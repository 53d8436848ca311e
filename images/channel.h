// Joins a thread that produces bytes with one that reads them. Private to images/.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "images/byte_stream.h"

namespace stack::images {

// Bounded: write() waits when the reader is 16 MiB behind.
class Channel final : public ByteSource {
 public:
  Status write(std::string_view bytes) {
    filling_.append(bytes);
    return filling_.size() < (1U << 20U) ? ok_status() : flush();
  }
  Status flush() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pieces_.size() < 16 || abandoned_; });
    if (abandoned_) return Error::make(ErrorKind::kCancelled, "unpacking stopped");
    pieces_.push_back(std::move(filling_));
    filling_.clear();
    filling_.reserve((1U << 20U) + (64U << 10U));
    changed_.notify_all();
    return ok_status();
  }
  void finish(std::optional<Error> error) {
    if (!error && !filling_.empty()) (void)flush();  // fails only when nobody reads any more
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    done_ = true;
    changed_.notify_all();
  }
  Result<std::string_view> next() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !pieces_.empty() || done_; });
    if (pieces_.empty()) {
      if (error_) return *error_;
      return std::string_view();
    }
    current_ = std::move(pieces_.front());
    pieces_.pop_front();
    changed_.notify_all();
    return std::string_view(current_);
  }
  void abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> pieces_;
  std::string filling_;
  std::string current_;
  std::optional<Error> error_;
  bool done_ = false;
  bool abandoned_ = false;
};

}  // namespace stack::images
