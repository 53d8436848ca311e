#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace stack {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path, std::size_t limit) {
  Fd fd = TRY(open_fd(path, O_RDONLY));
  return TRY_WHILE(read_all(fd.get(), limit), path.string());
}

Status write_file(const fs::path& path, std::string_view text, unsigned mode) {
  Fd fd = TRY(open_fd(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  TRY_WHILE(write_all(fd.get(), text), path.string());
  return ok_status();
}

Status replace_file(const fs::path& path, std::string_view text, unsigned mode) {
  const fs::path temporary =
      path.parent_path() / ("." + path.filename().string() + "." + random_hex(8));
  Fd fd = TRY(open_fd(temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
  Status written = write_all(fd.get(), text);
  if (written.ok() && ::fdatasync(fd.get()) != 0) written = Error::os(errno, "fdatasync");
  if (written.ok() && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = Error::os(errno, "rename");
  if (!written.ok()) {
    (void)::unlink(temporary.c_str());  // best effort: the write has failed already
    return std::move(written).error().while_(path.string());
  }
  return ok_status();
}

Status make_directories(const fs::path& path, unsigned mode) {
  if (path.empty() || ::mkdir(path.c_str(), mode) == 0) return ok_status();
  if (errno == ENOENT) {
    TRY(make_directories(path.parent_path(), mode));
    if (::mkdir(path.c_str(), mode) == 0) return ok_status();
  }
  if (errno == EEXIST) {
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return ok_status();
    return Error::os(ENOTDIR, path.string());
  }
  return Error::os(errno, path.string());
}

Status remove_tree(const fs::path& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec) return Error::os(ec.value(), "removing " + path.string());
  return ok_status();
}

bool exists(const fs::path& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<Fd> lock_file(const fs::path& path, bool wait) {
  Fd fd = TRY(open_fd(path, O_RDWR | O_CREAT, 0600));
  while (::flock(fd.get(), LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK)
      return Error::conflict(path.string() + " is locked by another process");
    return Error::os(errno, "locking " + path.string());
  }
  return fd;
}

std::string random_hex(std::size_t digits) {
  unsigned char bytes[32];
  static constexpr char kDigits[] = "0123456789abcdef";
  digits = std::min<std::size_t>(digits, 64);
  // Below 256 bytes getrandom(2) neither is interrupted nor returns short once the pool is
  // initialised.
  (void)!::getrandom(bytes, sizeof bytes, 0);
  std::string out(digits, '0');
  for (std::size_t i = 0; i < digits; ++i)
    out[i] = kDigits[(bytes[i / 2] >> (i % 2 == 0 ? 4U : 0U)) & 0xFU];
  return out;
}

}  // namespace stack
