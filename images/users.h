// Users and groups by name as a root file system knows them. The text of passwd(5) and group(5) is
// passed in: pure.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace stack::images {

// "user", "user:group", names or numbers. A number without a group has the same number as group; a
// name has its own group.
Result<std::pair<uid_t, gid_t>> resolve_owner(const std::string& text, std::string_view passwd,
                                              std::string_view group);
// The same with the files of a root directory, opened inside it.
Result<std::pair<uid_t, gid_t>> resolve_owner_in(int root_fd, const std::string& text);

}  // namespace stack::images
