#include "netd/namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "base/fd.h"
#include "base/files.h"

namespace stack::netd {

Status run_in_namespace(int netns_fd, const std::function<Status()>& fn) {
  Status result = ok_status();
  try {
    std::thread thread([&] {
      const int r = netns_fd < 0 ? ::unshare(CLONE_NEWNET) : ::setns(netns_fd, CLONE_NEWNET);
      if (r != 0) {
        result = Error::os(
            errno, netns_fd < 0 ? "creating a network namespace" : "entering a network namespace");
        return;
      }
      result = fn();
    });
    thread.join();
  } catch (const std::system_error& e) {
    return Error::os(e.code().value(), "starting a thread for a network namespace");
  }
  return result;
}

Status write_sysctl(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/net/" + name;
  const Fd fd = TRY(open_fd(path, O_WRONLY));
  if (::write(fd.get(), value.data(), value.size()) < 0) return Error::os(errno, path);
  return ok_status();
}

Status write_sysctls(const std::string& directory,
                     const std::vector<std::pair<std::string, std::string>>& values) {
  const Fd parent = TRY(open_fd("/proc/sys/net/" + directory, O_PATH | O_DIRECTORY));
  for (const auto& [name, value] : values) {
    const Fd fd(::openat(parent.get(), name.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd || ::write(fd.get(), value.data(), value.size()) < 0)
      return Error::os(errno, "/proc/sys/net/" + directory + "/" + name);
  }
  return ok_status();
}

Result<std::string> read_sysctl(const std::string& name) {
  std::string text = TRY(read_file("/proc/sys/net/" + name, 4096));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace stack::netd
