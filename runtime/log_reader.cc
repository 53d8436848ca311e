#include "runtime/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/utf8.h"

namespace stack::runtime {

namespace {

// Reads a JSON string from just after its opening quote; leaves `at` after the closing one. False
// when torn.
bool read_json_string(std::string_view line, std::size_t* at, std::string* out) {
  while (*at < line.size()) {
    const std::size_t stop = line.find_first_of("\"\\", *at);
    if (stop == std::string_view::npos) return false;
    out->append(line.substr(*at, stop - *at));
    *at = stop + 1;
    if (line[stop] == '"') return true;
    if (*at >= line.size()) return false;
    const char c = line[(*at)++];
    switch (c) {
      case 'n':
        out->push_back('\n');
        break;
      case 'r':
        out->push_back('\r');
        break;
      case 't':
        out->push_back('\t');
        break;
      case 'b':
        out->push_back('\b');
        break;
      case 'f':
        out->push_back('\f');
        break;
      case 'u': {
        if (*at + 4 > line.size()) return false;
        unsigned code = 0;
        for (int i = 0; i < 4; ++i) {
          const char h = line[(*at)++];
          code = code * 16 + static_cast<unsigned>(h <= '9' ? h - '0' : (h | 0x20) - 'a' + 10);
        }
        utf8::append(*out, code & 0xFFFFU);
        break;
      }
      default:
        out->push_back(c);
    }
  }
  return false;
}

std::optional<WallTime> parse_time(std::string_view text) {
  // 2026-11-24T19:02:52.189688397Z
  int v[6];
  if (text.size() < 20 || text.back() != 'Z') return std::nullopt;
  static constexpr std::size_t kAt[6] = {0, 5, 8, 11, 14, 17};
  for (int i = 0; i < 6; ++i) {
    v[i] = 0;
    for (std::size_t k = kAt[i]; k < kAt[i] + (i == 0 ? 4U : 2U); ++k) {
      if (text[k] < '0' || text[k] > '9') return std::nullopt;
      v[i] = v[i] * 10 + (text[k] - '0');
    }
  }
  std::int64_t nanoseconds = 0;
  std::int64_t unit = 100000000;
  if (text[19] == '.') {
    for (std::size_t k = 20; k + 1 < text.size() && unit > 0; ++k, unit /= 10)
      nanoseconds += (text[k] - '0') * unit;
  }
  using namespace std::chrono;
  const auto day = sys_days(year(v[0]) / month(static_cast<unsigned>(v[1])) /
                            std::chrono::day(static_cast<unsigned>(v[2])));
  return time_point_cast<WallTime::duration>(day + hours(v[3]) + minutes(v[4]) + seconds(v[5]) +
                                             std::chrono::nanoseconds(nanoseconds));
}

std::uint64_t size_of(int fd) {
  struct stat st {};
  return ::fstat(fd, &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

}  // namespace

std::optional<LogRecord> parse_log_record(std::string_view line) {
  // A crash can leave blocks of NUL before the next record.
  while (!line.empty() && line.front() == '\0') line.remove_prefix(1);
  if (line.size() < 2 || line.front() != '{' || line.back() != '}') return std::nullopt;
  LogRecord record;
  bool has_time = false;
  std::size_t at = 1;
  while (at < line.size() && line[at] == '"') {
    std::string key;
    ++at;
    if (!read_json_string(line, &at, &key) || at >= line.size() || line[at] != ':')
      return std::nullopt;
    ++at;
    if (at < line.size() && line[at] == '{') {  // attrs: passed over, strings may hold braces
      int depth = 0;
      do {
        if (line[at] == '"') {
          std::string skip;
          ++at;
          if (!read_json_string(line, &at, &skip)) return std::nullopt;
          continue;
        }
        depth += line[at] == '{' ? 1 : line[at] == '}' ? -1 : 0;
        ++at;
      } while (at < line.size() && depth > 0);
    } else {
      std::string value;
      if (at >= line.size() || line[at] != '"') return std::nullopt;
      ++at;
      if (!read_json_string(line, &at, &value)) return std::nullopt;
      if (key == "log") record.text = std::move(value);
      if (key == "stream") record.is_stderr = value == "stderr";
      if (key == "time") {
        const auto time = parse_time(value);
        if (!time) return std::nullopt;
        record.time = *time;
        has_time = true;
      }
    }
    if (at < line.size() && line[at] == ',') ++at;
  }
  if (!has_time) return std::nullopt;
  return record;
}

Result<LogReader> LogReader::open(std::filesystem::path file, LogQuery query) {
  LogReader reader;
  reader.file_ = std::move(file);
  reader.query_ = query;
  reader.current_ = Fd(::open(reader.file_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader.current_ && errno != ENOENT)
    return Error::os(errno, "opening " + reader.file_.string());
  if (query.tail != 0) {
    // file.1 is the newest of the old ones; `pending_` ends with the oldest.
    for (int n = 1;; ++n) {
      Fd old(
          ::open((reader.file_.string() + "." + std::to_string(n)).c_str(), O_RDONLY | O_CLOEXEC));
      if (!old) break;
      reader.pending_.push_back(std::move(old));
    }
  }
  if (query.tail) TRY(reader.seek_tail());
  return reader;
}

bool LogReader::accept(const LogRecord& record) {
  if (record.is_stderr ? !query_.stderr_ : !query_.stdout_) return false;
  if (query_.since && record.time < *query_.since) return false;
  return true;
}

// Finds the place from which `tail` matching records are left: backwards, file by file, without
// reading what is before.
Status LogReader::seek_tail() {
  if (*query_.tail == 0) {
    offset_ = current_ ? size_of(current_.get()) : 0;
    return ok_status();
  }
  std::uint64_t wanted = *query_.tail < 0 ? ~0ULL : static_cast<std::uint64_t>(*query_.tail);
  const std::size_t files = pending_.size() + 1;
  for (std::size_t n = 0; n < files;
       ++n) {  // 0: the current file, then the old ones from new to old
    const int fd = n == 0 ? current_.get() : pending_[n - 1].get();
    if (fd < 0) continue;
    std::uint64_t end = size_of(fd);
    std::string tail;  // beginning of a record whose start is not read yet
    while (end > 0 && wanted > 0) {
      const std::uint64_t begin = end > 65536 ? end - 65536 : 0;
      std::string block(static_cast<std::size_t>(end - begin), '\0');
      const ssize_t got = ::pread(fd, block.data(), block.size(), static_cast<off_t>(begin));
      if (got != static_cast<ssize_t>(block.size()))
        return Error::os(errno, "reading " + file_.string());
      block += tail;
      std::size_t stop = block.size();
      if (n == 0 && end == size_of(fd) && !block.empty() && block.back() != '\n') {
        const std::size_t last = block.rfind('\n');
        stop = last == std::string::npos ? 0
                                         : last + 1;  // a torn record at the end is left for next()
      }
      while (stop > 0 && wanted > 0) {
        const std::size_t newline = stop >= 2 ? block.rfind('\n', stop - 2) : std::string::npos;
        const std::size_t start = newline == std::string::npos ? 0 : newline + 1;
        if (newline == std::string::npos && begin > 0) break;  // its start is in the block before
        const auto record =
            parse_log_record(std::string_view(block).substr(start, stop - 1 - start));
        if (record && accept(*record) && (!query_.until || record->time <= *query_.until)) --wanted;
        if (wanted == 0) {
          offset_ = begin + start;
          // Reading begins in file n: files older than it are not needed.
          pending_.resize(n);
          return ok_status();
        }
        stop = start;
      }
      tail = block.substr(0, stop);
      end = begin;
    }
  }
  offset_ = 0;  // there are fewer records than asked for
  return ok_status();
}

bool LogReader::reopen_current() {
  struct stat by_name {};
  struct stat by_fd {};
  if (::stat(file_.c_str(), &by_name) != 0) return false;
  if (current_ && ::fstat(current_.get(), &by_fd) == 0 && by_fd.st_ino == by_name.st_ino &&
      by_fd.st_dev == by_name.st_dev) {
    return false;
  }
  // It was renamed, so it does not grow any more; what came between the last read and the rename is
  // read first.
  if (current_ && size_of(current_.get()) > offset_) return true;
  // The file that we read has become file.1. Files that were rotated past it meanwhile come first.
  if (current_) {
    for (int n = 1;; ++n) {
      Fd old(::open((file_.string() + "." + std::to_string(n)).c_str(), O_RDONLY | O_CLOEXEC));
      struct stat st {};
      if (!old || ::fstat(old.get(), &st) != 0) {
        pending_.clear();  // ours is gone already: what is left begins with the current file
        break;
      }
      if (st.st_ino == by_fd.st_ino && st.st_dev == by_fd.st_dev) break;
      pending_.push_back(std::move(old));
    }
  }
  current_ = Fd(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  offset_ = 0;
  partial_.clear();
  return static_cast<bool>(current_);
}

Result<std::vector<LogRecord>> LogReader::next(std::size_t budget) {
  std::vector<LogRecord> records;
  std::size_t parsed = 0;
  while (!done_ && parsed < budget) {
    const int fd = pending_.empty() ? current_.get() : pending_.back().get();
    std::string block(65536, '\0');
    const ssize_t n =
        fd < 0 ? 0 : ::pread(fd, block.data(), block.size(), static_cast<off_t>(offset_));
    if (n < 0) return Error::os(errno, "reading " + file_.string());
    if (n == 0) {
      if (!pending_.empty()) {
        pending_.pop_back();
        offset_ = 0;
        partial_.clear();
        continue;
      }
      if (!reopen_current()) break;
      continue;
    }
    offset_ += static_cast<std::uint64_t>(n);
    parsed += static_cast<std::size_t>(n);
    partial_.append(block, 0, static_cast<std::size_t>(n));
    std::size_t at = 0;
    for (std::size_t end = partial_.find('\n'); end != std::string::npos;
         end = partial_.find('\n', at)) {
      auto record = parse_log_record(std::string_view(partial_).substr(at, end - at));
      at = end + 1;
      if (!record) continue;
      if (query_.until && record->time > *query_.until) {
        done_ = true;
        break;
      }
      if (accept(*record)) records.push_back(std::move(*record));
    }
    partial_.erase(0, at);
  }
  return records;
}

}  // namespace stack::runtime
