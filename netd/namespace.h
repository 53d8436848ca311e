// Work inside another network namespace, on a thread that exists for it alone: setns(2) changes the
// calling thread only, and such a thread must not go back to a pool.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace stack::netd {

// Runs fn on a new thread inside the namespace (netns_fd < 0: inside a new one) and waits for it.
Status run_in_namespace(int netns_fd, const std::function<Status()>& fn);

// Writes /proc/sys/net/<name> of the calling thread's namespace.
Status write_sysctl(const std::string& name, const std::string& value);
// The same for several below one directory, which is looked up once: each part of such a path costs
// a search among the entries of that name of all network namespaces.
Status write_sysctls(const std::string& directory,
                     const std::vector<std::pair<std::string, std::string>>& values);
Result<std::string> read_sysctl(const std::string& name);  // without the line end

}  // namespace stack::netd
