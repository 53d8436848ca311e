#include "base/kernel.h"

#include <sys/utsname.h>

#include <cstdlib>

namespace stack {

bool kernel_at_least(int major, int minor) {
  utsname name{};
  if (::uname(&name) != 0) return false;
  char* end = nullptr;
  const long running = std::strtol(name.release, &end, 10);
  if (running != major) return running > major;
  return *end == '.' && std::strtol(end + 1, nullptr, 10) >= minor;
}

}  // namespace stack
