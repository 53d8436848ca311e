#include "cli/docker/save_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/fd.h"
#include "cli/terminal.h"

namespace stack::cli::docker {

namespace {

Status copy(BodyStream& stream, int fd) {
  std::string bytes;
  for (bool more = true; more;) {
    bytes.clear();
    more = TRY(stream.read(bytes));
    TRY(write_all(fd, bytes));
  }
  return ok_status();
}

}  // namespace

Status check_save_target(const std::string& path) {
  if (!path.empty() || !is_terminal(STDOUT_FILENO)) return ok_status();
  return Error::invalid("cowardly refusing to save to a terminal. Use the -o flag or redirect")
      .fix("For example: -o archive.tar");
}

Status save_stream(Result<BodyStream> answer, const std::string& path) {
  BodyStream stream = TRY(std::move(answer));
  if (path.empty()) return copy(stream, STDOUT_FILENO);
  const std::string partial = path + ".partial";
  const Fd file = TRY(open_fd(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  Status copied = copy(stream, file.get());
  if (!copied.ok()) {
    (void)::unlink(partial.c_str());  // a cut archive must not look like a whole one
    return copied;
  }
  if (::rename(partial.c_str(), path.c_str()) != 0) return Error::os(errno, path);
  return ok_status();
}

}  // namespace stack::cli::docker
